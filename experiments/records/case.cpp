#include "experiments/records/case.hpp"

namespace opsched::records {

std::string Case::name() const {
  std::string name = (software == "opsched" ? "" : software + ":") + network + "/" + scheduler;
  for (const auto& [option, value] : options) name.append(",").append(option).append("=").append(value);
  name += "/batch:" + std::to_string(batch);
  if (image != 0) name += "/image:" + std::to_string(image);
  return name + "/" + to_string(precision) + "/gpus:" + std::to_string(gpus);
}

Case baseline_of(const Case& what) {
  Case baseline = what;
  baseline.scheduler = "sequential";
  baseline.options.clear();
  baseline.gpus = 1;
  return baseline;
}

}  // namespace opsched::records
