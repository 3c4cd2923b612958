#include "core/runtime/cuda/lowering.hpp"

namespace opsched {

LoweringOptions lowering_for(Precision precision) {
  LoweringOptions options;
  options.element_bytes = precision == Precision::fp16 ? 2 : 4;
  return options;
}

}  // namespace opsched
