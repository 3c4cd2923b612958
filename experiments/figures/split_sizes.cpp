// Latency by image size: one GPU, inter-operator parallelism on several, operators in strips, and both.
#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

/// In addition to the device's results: the runs on two GPUs in results/h200-x2-split.
std::string split_folder(const FigureSettings& settings) {
  const std::string own = own_folder(settings).second;
  return own.substr(0, own.find("-x")) + "-x2-split";
}

/// Everything in the folder: any networks, image sizes and precisions.
std::vector<Item> items(const FigureSettings& settings) {
  const std::string folder = split_folder(settings);
  return {{.name = "latencies of split schedules in " + folder,
           .keys = {},
           .select =
               [](const records::Record& record) {
                 const records::Case& what = record.what;
                 return record.quantity == "latency" && record.labels.empty() && what.software == "opsched" &&
                        what.batch == 1;
               },
           .folder = folder,
           .why = "not measured yet: opsched bench --network inception_v3,nasnet,randwire --image 512,1024,2048 "
                  "--scheduler \"dataflow,hios-lp,split,hios-lp,split=rows\" --gpus 1,2 --out results/" +
                  folder + " does it on two GPUs"}};
}

}  // namespace

Figure split_sizes_figure() {
  return {.name = "split_sizes",
          .title = "Latency by image size: one GPU, whole operators on two, operators in strips, both",
          .paper = "",
          .items = items};
}

}  // namespace opsched::figures
