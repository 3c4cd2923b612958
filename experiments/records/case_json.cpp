#include "experiments/records/case_json.hpp"

namespace opsched::bench {

nlohmann::ordered_json case_to_json(const Case& what) {
  return {{"network", what.network},
          {"scheduler", what.scheduler},
          {"batch", what.batch},
          {"image", what.image},
          {"precision", to_string(what.precision)},
          {"gpus", what.gpus}};
}

Case case_from_json(const nlohmann::ordered_json& json) {
  Case what;
  json.at("network").get_to(what.network);
  json.at("scheduler").get_to(what.scheduler);
  json.at("batch").get_to(what.batch);
  json.at("image").get_to(what.image);
  what.precision = parse_precision(json.at("precision"));
  json.at("gpus").get_to(what.gpus);
  return what;
}

}  // namespace opsched::bench
