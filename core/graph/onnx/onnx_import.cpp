#include "core/graph/onnx/onnx_import.hpp"

#include "core/graph/onnx/onnx_reader.hpp"

namespace opsched {

Graph import_onnx(std::string_view bytes, const std::string& name, const std::string& folder) {
  return OnnxReader(parse_onnx(bytes), folder).read(name);
}

}  // namespace opsched
