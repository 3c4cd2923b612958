#include "core/tensor_format.hpp"

namespace opsched {

std::string to_string(TensorFormat format) { return format == TensorFormat::nchw ? "nchw" : "nhwc"; }

TensorFormat preferred_format(Precision precision) {
  return precision == Precision::fp32 ? TensorFormat::nchw : TensorFormat::nhwc;
}

}  // namespace opsched
