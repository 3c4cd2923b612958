// Latency by image size: one GPU, inter-operator parallelism on several, operators in strips, and both.
#include <filesystem>

#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

/// Folders of two GPUs beside the device's results, without the device's name. Others have other links between the
/// GPUs.
constexpr const char* kFolders[] = {"-x2", "-x2-kernels-18"};

bool is_shown(const records::Record& record) {
  return record.quantity == "latency" && record.labels.empty() && record.what.software == "opsched" &&
         record.what.batch == 1;
}

/// Everything in the folders: any networks, image sizes, precisions and versions of the kernels. Of equal cases the
/// Python code shows those of one folder, of the newest kernels.
std::vector<Item> items(const FigureSettings& settings) {
  const std::string own = own_folder(settings).second, device = own.substr(0, own.find("-x"));
  const std::filesystem::path results = std::filesystem::absolute(settings.results).lexically_normal() / "..";
  std::vector<Item> items;
  for (const char* suffix : kFolders) {
    const std::string folder = device + suffix;
    if (suffix != kFolders[0] && !std::filesystem::exists(results / folder / "records.jsonl")) continue;
    items.push_back(
        {.name = "latencies of split schedules in " + folder,
         .keys = {},
         .select = is_shown,
         .folder = folder,
         .labels = {{"folder", folder}},
         .why = "not measured yet: opsched bench --network inception_v3,nasnet,randwire --image 512,1024,2048 "
                "--scheduler \"dataflow,hios-lp,split,hios-lp,split=rows\" --gpus 1,2 --out results/" +
                folder + " does it on two GPUs"});
  }
  return items;
}

}  // namespace

Figure split_sizes_figure() {
  return {.name = "split_sizes",
          .title = "Latency by image size: one GPU, whole operators on two, operators in strips, both",
          .paper = "",
          .items = items};
}

}  // namespace opsched::figures
