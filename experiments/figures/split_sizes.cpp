// Latency by image size: one GPU, inter-operator parallelism on several, operators in strips, and both.
#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

bool is_shown(const records::Record& record) {
  return record.quantity == "latency" && record.labels.empty() && record.what.software == "opsched" &&
         record.what.batch == 1;
}

/// Everything in the folder of two GPUs: any networks, image sizes, precisions and versions of the kernels.
std::vector<Item> items(const FigureSettings& settings) {
  const std::string own = own_folder(settings).second, folder = own.substr(0, own.find("-x")) + "-x2";
  return {{.name = "latencies of split schedules in " + folder,
           .keys = {},
           .select = is_shown,
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
