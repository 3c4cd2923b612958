#include "experiments/figures/baseline_items.hpp"

namespace opsched::figures {

Item baseline_item(const std::string& network, int batch, Precision precision) {
  const std::string name =
      "other software on " + network + " at batch " + std::to_string(batch) + " in " + to_string(precision);
  return {.name = name,
          .keys = {},
          .select =
              [=](const records::Record& record) {
                const records::Case& what = record.what;
                return record.quantity == "latency" && what.network == network && what.batch == batch &&
                       what.image == 0 && what.gpus == 1 && what.precision == precision &&
                       (what.software != "opsched" || record.labels.contains("beside"));
              },
          .why = "not measured yet: experiments/baselines/run_baselines.py does it"};
}

}  // namespace opsched::figures
