#include "core/cost/cost_model.hpp"

namespace opsched {

std::string to_string(Source source) {
  switch (source) {
    case Source::measured:
      return "measured";
    case Source::recorded:
      return "recorded";
    case Source::synthetic:
      return "synthetic";
  }
  return "unknown";
}

}  // namespace opsched
