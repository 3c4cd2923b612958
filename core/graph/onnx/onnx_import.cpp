#include "core/graph/onnx/onnx_import.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_reader.hpp"
#include "core/utf8.hpp"

namespace opsched {
namespace {

/// Is this [batch, height, width, channels], as in TensorFlow models whose readers all transpose it to channels first?
bool has_channels_last(const OnnxModel& model, const OnnxValue& input) {
  static const std::vector<std::int64_t> to_first{0, 3, 1, 2};
  bool read = false;
  for (const OnnxNode& node : model.nodes) {
    if (std::ranges::find(node.inputs, input.name) == node.inputs.end()) continue;
    const auto* const order = node.integers("perm");
    if (node.type != "Transpose" || !order || *order != to_first) return false;
    read = true;
  }
  return read && input.dims.size() == 4;
}

/// Replaces an image's symbolic batch, height and width by numbers.
void fill(OnnxValue& input, const InputSize& size) {
  if (input.dims.size() != 4) return;  // the reader rejects it
  const std::string where = "input '" + input.name + "': ";
  if (input.dims[0] < 0 && size.batch > 0) input.dims[0] = size.batch;
  const std::size_t h = input.channels_last ? 1 : 2, w = h + 1;
  const bool open = input.dims[h] < 0 || input.dims[w] < 0;
  if (open && size.image == 0)
    throw Error(where + "its height or width is symbolic; give an image size (--image HEIGHTxWIDTH)");
  for (const auto& [axis, pixels] : {std::pair{h, size.image.height}, {w, size.image.width}}) {
    if (input.dims[axis] < 0) input.dims[axis] = pixels;
    if (size.image != 0 && input.dims[axis] != pixels)
      throw Error(where + "its size is fixed at " + std::to_string(input.dims[h]) + "x" +
                  std::to_string(input.dims[w]) + ", not " + to_string(size.image) +
                  "; export it with dynamic height and width");
  }
}

}  // namespace

Graph import_onnx(std::string_view bytes, const std::string& name, const std::string& folder, const InputSize& size) {
  OnnxModel model = parse_onnx(bytes);
  for (OnnxValue& input : model.inputs) {
    input.channels_last = has_channels_last(model, input);
    fill(input, size);
  }
  std::vector<std::string> names;
  for (const OnnxValue& output : model.outputs) names.push_back(valid_utf8(output.name));
  Graph graph = OnnxReader(std::move(model), folder).read(name);
  graph.set_output_names(std::move(names));
  return graph;
}

}  // namespace opsched
