// HIOS's figures on real GPUs: the same latencies, drawn in three ways.
#include <map>

#include "experiments/figures/figure.hpp"

namespace opsched::figures {
namespace {

const std::vector<std::string> kOnOne = {"sequential", "ios-both", "dataflow"};
const std::vector<std::string> kOnSeveral = {"hios-lp-inter", "hios-mr-inter", "hios-lp",
                                             "hios-mr",       "heft",          "reinsert"};

/// Stored in the folder for that many GPUs, which only its own run fills.
Item item_in(const FigureSettings& settings, const records::Case& what, const std::string& folder) {
  Item item = latency_item(what, what.gpus > 1 || what.image != 0);
  if (folder == own_folder(settings).second) return item;
  item.folder = folder;
  item.name += " in " + folder;
  item.make = {};
  item.why = "not measured yet: opsched reproduce --profile results/" + folder + " does it there";
  return item;
}

/// Inception V3 and NasNet at every image size and number of GPUs: sequential, IOS-Both and dataflow on one GPU, HIOS's
/// algorithms and ours on several. Beyond one GPU and the default image size nothing is simulated, because a profile of
/// one image size says too little about another. Such cases get a row that states that they were not measured.
std::vector<Item> hios_items(const FigureSettings& settings) {
  const auto [own_gpus, own] = own_folder(settings);
  std::map<int, std::string> folders;  // by number of GPUs
  for (int gpus : {1, 2, 4, settings.gpus}) folders[gpus] = own;
  for (const auto& [gpus, folder] : sibling_folders(settings)) folders[gpus] = folder;
  folders[own_gpus] = own;
  std::vector<Item> items;
  for (const char* network : {"inception_v3", "nasnet"})
    for (int image : {0, 512, 1024, 2048})
      for (const auto& [gpus, folder] : folders) {
        const auto add = [&, gpus = gpus, folder = folder](const std::string& scheduler, int on) {
          const records::Case what{.network = network,
                                   .scheduler = scheduler,
                                   .batch = 1,
                                   .image = image,
                                   .precision = settings.precision,
                                   .gpus = on};
          items.push_back(item_in(settings, what, folder));
          // The one-GPU part of a run on several GPUs: gains compare results of the same run.
          if (on < gpus) items.back().labels["run"] = std::to_string(gpus);
        };
        for (const std::string& scheduler : gpus == 1 ? kOnOne : kOnSeveral) add(scheduler, gpus);
        if (gpus > 1 && (folder != own || own_gpus == gpus || settings.gpus == gpus))
          for (const std::string& scheduler : kOnOne) add(scheduler, 1);
      }
  return items;
}

}  // namespace

Figure image_sizes_figure() {
  return {.name = "image_sizes",
          .title = "Latency by image size and number of GPUs, every algorithm",
          .paper = "HIOS: latency by image size and number of GPUs",
          .items = hios_items};
}

Figure image_gain_figure() {
  return {.name = "image_gain",
          .title = "Gain over IOS on one GPU at small and large images",
          .paper = "HIOS: gain at small and large images",
          .items = hios_items};
}

Figure scheduling_time_figure() {
  return {.name = "scheduling_time",
          .title = "Time to find a schedule, by image size and number of GPUs",
          .paper = "HIOS: optimisation cost",
          .items = hios_items};
}

}  // namespace opsched::figures
