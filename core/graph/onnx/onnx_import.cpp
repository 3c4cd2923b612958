#include "core/graph/onnx/onnx_import.hpp"

#include <utility>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"
#include "core/utf8.hpp"

namespace opsched {
namespace {

/// Puts numbers where an image's batch, height and width are symbols.
void fill(OnnxValue& input, const InputSize& size) {
  if (input.dims.size() != 4) return;  // refused by the reader
  const std::string where = "input '" + input.name + "': ";
  if (input.dims[0] < 0 && size.batch > 0) input.dims[0] = size.batch;
  const bool open = input.dims[2] < 0 || input.dims[3] < 0;
  if (open && size.image == 0)
    throw Error(where + "the model leaves its height or width open; give an image size (--image HEIGHTxWIDTH)");
  for (const auto& [axis, pixels] : {std::pair{2, size.image.height}, {3, size.image.width}}) {
    if (input.dims[axis] < 0) input.dims[axis] = pixels;
    if (size.image != 0 && input.dims[axis] != pixels)
      throw Error(where + "the model says " + std::to_string(input.dims[2]) + "x" + std::to_string(input.dims[3]) +
                  ", not " + to_string(size.image) + "; export it with dynamic height and width");
  }
}

}  // namespace

Graph import_onnx(std::string_view bytes, const std::string& name, const std::string& folder, const InputSize& size) {
  OnnxModel model = parse_onnx(bytes);
  for (OnnxValue& input : model.inputs) fill(input, size);
  std::vector<std::string> names;
  for (const OnnxValue& output : model.outputs) names.push_back(valid_utf8(output.name));
  Graph graph = OnnxReader(std::move(model), folder).read(name);
  graph.set_output_names(std::move(names));
  return graph;
}

}  // namespace opsched
