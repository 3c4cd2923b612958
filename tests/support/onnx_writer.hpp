// Writes small ONNX models, so that a test contains its own model.
#pragma once

#include "core/graph/onnx/onnx_writer.hpp"

namespace opsched::test {

using Message = ProtobufMessage;
using opsched::onnx_bool, opsched::onnx_float, opsched::onnx_int32, opsched::onnx_int64, opsched::OnnxWriter;

}  // namespace opsched::test
