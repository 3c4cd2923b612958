#include <nlohmann/json.hpp>

#include "schedulers/ios/count.hpp"

namespace opsched {
namespace {

nlohmann::ordered_json numbers(const IosCount& count) {
  return {{"operators", count.operators},     {"width", count.width},         {"states", count.states},
          {"transitions", count.transitions}, {"schedules", count.schedules}, {"stages", count.stages}};
}

}  // namespace

std::string to_json(const IosCounts& counts) {
  nlohmann::ordered_json blocks = nlohmann::ordered_json::array();
  for (const IosCount& count : counts.parts) {
    nlohmann::ordered_json block = {{"block", count.block}, {"part", count.part}};
    block.update(numbers(count));
    blocks.push_back(std::move(block));
  }
  return nlohmann::ordered_json{{"blocks", blocks}, {"totals", numbers(counts.total)}, {"seconds", counts.seconds}}
      .dump(2);
}

}  // namespace opsched
