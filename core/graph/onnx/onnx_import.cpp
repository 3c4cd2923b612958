#include "core/graph/onnx/onnx_import.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "core/error.hpp"
#include "core/graph/graph_spec.hpp"
#include "core/graph/onnx/onnx_model.hpp"
#include "core/graph/onnx/onnx_units.hpp"
#include "core/graph/onnx/onnx_window.hpp"

namespace opsched {
namespace {

/// What a value of the model is: a unit's output, perhaps seen as a plain list of numbers.
struct Tensor {
  int unit = -1;
  bool flat = false;
};

class Importer {
 public:
  Importer(OnnxModel model, std::string folder) : model_(std::move(model)), folder_(std::move(folder)) {}

  Graph run(const std::string& name) {
    if (model_.nodes.size() > max_file_operators)
      throw Error("more than " + std::to_string(max_file_operators) + " nodes");
    for (const OnnxValue& input : model_.inputs) add_input(input);
    for (const OnnxNode& node : model_.nodes)
      for (const std::string& input : node.inputs) ++readers_[input];
    for (const OnnxValue& output : model_.outputs) ++readers_[output.name];
    for (const OnnxNode& node : model_.nodes) {
      try {
        translate(node);
      } catch (const Error& e) {
        throw Error("node '" + (node.name.empty() && !node.outputs.empty() ? node.outputs[0] : node.name) + "' (" +
                    node.type + "): " + e.what());
      }
    }
    std::vector<std::pair<std::string, int>> outputs;
    for (const OnnxValue& output : model_.outputs) {
      const auto found = values_.find(output.name);
      if (found == values_.end()) throw Error("output '" + output.name + "' is computed by no node");
      outputs.emplace_back(output.name, found->second.unit);
    }
    if (outputs.empty()) throw Error("the model has no output");
    return units_.finish(name, batch_, outputs);
  }

 private:
  using Translation = void (Importer::*)(const OnnxNode&);

  void add_input(const OnnxValue& input) {
    const auto& d = input.dims;
    const bool fixed = d.size() == 4 && std::all_of(d.begin() + 1, d.end(), [](std::int64_t n) { return n > 0; });
    if (!fixed || *std::max_element(d.begin(), d.end()) > max_axis)
      throw Error("input '" + input.name +
                  "': must have the shape [batch, channels, height, width], all but the batch as numbers; export the "
                  "model with a fixed image size");
    if (d[0] > max_batch) throw Error("input '" + input.name + "': a batch of " + std::to_string(d[0]));
    const int batch = d[0] > 0 ? static_cast<int>(d[0]) : 1;
    if (!values_.empty() && batch != batch_)
      throw Error("input '" + input.name + "': another batch than the inputs before it");
    batch_ = batch;
    values_[input.name] = {
        units_.add_input({input.name}, {static_cast<int>(d[1]), static_cast<int>(d[2]), static_cast<int>(d[3])})};
  }

  void translate(const OnnxNode& node) {
    static const std::map<std::string, Translation> translations = {
        {"Add", &Importer::add},
        {"AveragePool", &Importer::average_pool},
        {"BatchNormalization", &Importer::batch_normalization},
        {"Concat", &Importer::concat},
        {"Constant", &Importer::constant},
        {"Conv", &Importer::conv},
        {"Dropout", &Importer::same},
        {"Flatten", &Importer::flatten},
        {"Gemm", &Importer::gemm},
        {"GlobalAveragePool", &Importer::global_average_pool},
        {"Identity", &Importer::same},
        {"MaxPool", &Importer::max_pool},
        {"ReduceMean", &Importer::reduce_mean},
        {"Relu", &Importer::relu},
        {"Reshape", &Importer::reshape},
        {"Sum", &Importer::add},
        {"Tanh", &Importer::tanh},
    };
    const auto found = translations.find(node.type);
    if (found == translations.end() || (!node.domain.empty() && node.domain != "ai.onnx")) {
      std::string known;
      for (const auto& [type, translation] : translations) known += (known.empty() ? "" : ", ") + type;
      throw Error("this operator is not supported; supported are: " + known);
    }
    if (node.outputs.empty()) throw Error("has no output");
    (this->*found->second)(node);
  }

  // ---- values

  const std::string& input_name(const OnnxNode& node, std::size_t i) const {
    if (i >= node.inputs.size() || node.inputs[i].empty()) throw Error("input " + std::to_string(i) + " is missing");
    return node.inputs[i];
  }
  bool has_input(const OnnxNode& node, std::size_t i) const {
    return i < node.inputs.size() && !node.inputs[i].empty();
  }

  Tensor value(const OnnxNode& node, std::size_t i) const {
    const std::string& name = input_name(node, i);
    const auto found = values_.find(name);
    if (found != values_.end()) return found->second;
    if (model_.constants.contains(name)) throw Error("input '" + name + "' is a constant, which is not supported here");
    throw Error("input '" + name + "' is not there, or comes later");
  }
  /// A value that is used as an image.
  int image(const OnnxNode& node, std::size_t i) {
    const Tensor tensor = value(node, i);
    const Shape& shape = units_[tensor.unit].output;
    if (tensor.flat && shape.h * shape.w > 1) throw Error("a flattened image is only supported before Gemm");
    return tensor.unit;
  }
  const OnnxTensor& constant_input(const OnnxNode& node, std::size_t i) const {
    const auto found = model_.constants.find(input_name(node, i));
    if (found == model_.constants.end()) throw Error("input '" + node.inputs[i] + "' must be a constant");
    return found->second;
  }
  /// A constant list of this length.
  std::vector<double> numbers(const OnnxNode& node, std::size_t i, std::int64_t length) const {
    const OnnxTensor& tensor = constant_input(node, i);
    if (tensor.size() != length)
      throw Error("constant '" + tensor.name + "' has " + std::to_string(tensor.size()) + " values where " +
                  std::to_string(length) + " are needed");
    return tensor.read(folder_);
  }
  void define(const OnnxNode& node, Tensor tensor) { values_[node.outputs[0]] = tensor; }
  int new_unit(const OnnxNode& node, std::vector<std::vector<int>> terms) {
    return units_.add({node.name, node.outputs[0], node.type}, std::move(terms));
  }
  /// Is this node the only one that reads its input? Then it can become part of its producer.
  bool only_reader(const OnnxNode& node) {
    const auto found = readers_.find(node.inputs[0]);
    return found != readers_.end() && found->second == 1 && !units_[values_.at(node.inputs[0]).unit].terms.empty();
  }

  // ---- operators

  void conv(const OnnxNode& node) {
    const int from = image(node, 0);
    const OnnxTensor& weight = constant_input(node, 1);
    if (weight.dims.size() != 4) throw Error("only two-dimensional convolutions are supported");
    for (std::int64_t dim : weight.dims)
      if (dim < 1 || dim > max_axis) throw Error("weights of an impossible shape");
    const OnnxWindow window = convolution_window(node, weight.dims, units_[from].output);
    const auto group = node.attributes.find("group");
    const std::int64_t groups = group == node.attributes.end() ? 1 : group->second.integer;
    if (groups < 1 || groups > max_axis || groups * weight.dims[1] != units_[from].output.c)
      throw Error("reads " + std::to_string(units_[from].output.c) + " channels, but its weights are for " +
                  std::to_string(weight.dims[1]) + " in each of " + std::to_string(groups) + " groups");
    const Conv2d layer{.out_channels = static_cast<int>(weight.dims[0]),
                       .kernel = window.kernel,
                       .stride = window.stride,
                       .padding = window.padding,
                       .groups = static_cast<int>(groups)};
    const std::vector<double> values = weight.read(folder_);
    ConvWeights weights{{values.begin(), values.end()}, std::vector<float>(layer.out_channels, 0.0f)};
    if (has_input(node, 2)) {
      const auto bias = numbers(node, 2, layer.out_channels);
      weights.bias.assign(bias.begin(), bias.end());
    }
    const int unit = new_unit(node, {{from}});
    units_.append(unit, layer, std::move(weights));
    define(node, {unit});
  }

  void batch_normalization(const OnnxNode& node) {
    const int from = image(node, 0), channels = units_[from].output.c;
    if (attribute(node, "training_mode", 0) != 0) throw Error("training mode is not supported");
    const auto scale = numbers(node, 1, channels), bias = numbers(node, 2, channels), mean = numbers(node, 3, channels),
               variance = numbers(node, 4, channels);
    const auto epsilon = node.attributes.find("epsilon");
    std::vector<double> factor(channels);
    for (int c = 0; c < channels; ++c)
      factor[c] = scale[c] / std::sqrt(variance[c] + (epsilon == node.attributes.end() ? 1e-5 : epsilon->second.real));
    if (only_reader(node) && units_[from].open_conv()) {
      ConvWeights& weights = units_[from].weights.at(static_cast<int>(units_[from].layers.size()) - 1);
      const std::size_t each = weights.weight.size() / channels;
      for (std::size_t i = 0; i < weights.weight.size(); ++i)
        weights.weight[i] = static_cast<float>(weights.weight[i] * factor[i / each]);
      for (int c = 0; c < channels; ++c)
        weights.bias[c] = static_cast<float>((weights.bias[c] - mean[c]) * factor[c] + bias[c]);
      define(node, value(node, 0));
      return;
    }
    ConvWeights weights{{factor.begin(), factor.end()}, std::vector<float>(channels)};
    for (int c = 0; c < channels; ++c) weights.bias[c] = static_cast<float>(bias[c] - mean[c] * factor[c]);
    const int unit = new_unit(node, {{from}});
    units_.append(unit, Conv2d{.out_channels = channels, .groups = channels}, std::move(weights));
    define(node, {unit});
  }

  void relu(const OnnxNode& node) { activation(node, Activation::relu); }
  void tanh(const OnnxNode& node) { activation(node, Activation::tanh); }
  void activation(const OnnxNode& node, Activation act) {
    const Tensor from = value(node, 0);
    if (only_reader(node)) {
      if (Conv2d* conv = units_[from.unit].open_conv()) {
        conv->act = act;
        return define(node, from);
      }
      if (units_[from.unit].is_join()) {
        units_.append(from.unit, Activate{act});
        return define(node, from);
      }
    }
    const int unit = new_unit(node, {{from.unit}});
    units_.append(unit, Activate{act});
    define(node, {unit, from.flat});
  }

  void max_pool(const OnnxNode& node) { pool(node, PoolType::max); }
  void average_pool(const OnnxNode& node) { pool(node, PoolType::avg); }
  void pool(const OnnxNode& node, PoolType type) {
    const int from = image(node, 0);
    const bool count_padding = type == PoolType::max || attribute(node, "count_include_pad", 0) != 0;
    const OnnxWindow window = pooling_window(node, units_[from].output, type == PoolType::avg && count_padding);
    const int unit = new_unit(node, {{from}});
    units_.append(unit, Pool2d{.type = type,
                               .kernel = window.kernel,
                               .stride = window.stride,
                               .padding = window.padding,
                               .count_padding = count_padding,
                               .ceil = window.ceil});
    define(node, {unit});
  }

  void global_average_pool(const OnnxNode& node) {
    const int unit = new_unit(node, {{image(node, 0)}});
    units_.append(unit, Pool2d{.type = PoolType::global_avg});
    define(node, {unit});
  }
  /// The mean over height and width is a global average pool.
  void reduce_mean(const OnnxNode& node) {
    std::vector<double> axes;
    if (const auto found = node.attributes.find("axes"); found != node.attributes.end())
      axes.assign(found->second.integers.begin(), found->second.integers.end());
    else if (has_input(node, 1))
      axes = constant_input(node, 1).read(folder_);
    for (double& axis : axes)
      if (axis < 0) axis += 4;
    std::ranges::sort(axes);
    if (axes != std::vector<double>{2, 3})
      throw Error("only the mean over height and width (axes 2 and 3) is supported");
    global_average_pool(node);
    values_[node.outputs[0]].flat = attribute(node, "keepdims", 1) == 0;
  }

  void add(const OnnxNode& node) {
    std::vector<int> term;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) term.push_back(image(node, i));
    if (term.empty()) throw Error("has no input");
    define(node, {new_unit(node, {term}), value(node, 0).flat});
  }

  void concat(const OnnxNode& node) {
    std::vector<std::vector<int>> terms;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) terms.push_back({image(node, i)});
    if (terms.empty()) throw Error("has no input");
    const bool flat = value(node, 0).flat;
    const std::int64_t axis = attribute(node, "axis", 1);
    if (axis != 1 && axis != (flat ? -1 : -3)) throw Error("only concatenation along channels (axis 1) is supported");
    define(node, {new_unit(node, terms), flat});
  }

  void flatten(const OnnxNode& node) {
    if (attribute(node, "axis", 1) != 1) throw Error("only axis 1 is supported");
    define(node, {value(node, 0).unit, true});
  }
  void reshape(const OnnxNode& node) {
    const Tensor from = value(node, 0);
    const auto shape = constant_input(node, 1).read(folder_);
    const auto whole = static_cast<double>(units_[from.unit].output.size());
    if (shape.size() != 2 || (shape[1] != -1 && shape[1] != whole) || (shape[1] == -1 && shape[0] == -1))
      throw Error("only a reshape to [batch, all the rest] is supported");
    define(node, {from.unit, true});
  }

  /// A fully connected layer is a convolution whose kernel is the whole image.
  void gemm(const OnnxNode& node) {
    const Tensor from = value(node, 0);
    const Shape in = units_[from.unit].output;
    if (attribute(node, "transA", 0) != 0) throw Error("a transposed first input is not supported");
    const OnnxTensor& matrix = constant_input(node, 1);
    const bool transposed = attribute(node, "transB", 0) != 0;
    if (!from.flat || matrix.dims.size() != 2 || matrix.dims[transposed ? 1 : 0] != in.size())
      throw Error("must multiply a flattened value of " + std::to_string(in.size()) +
                  " numbers with a constant matrix");
    const std::int64_t rows = matrix.dims[0], columns = matrix.dims[1], outputs = transposed ? rows : columns;
    if (outputs < 1 || outputs > max_axis) throw Error("a matrix of an impossible shape");
    const auto scale = [&](const char* name) {
      const auto found = node.attributes.find(name);
      return found == node.attributes.end() ? 1.0 : found->second.real;
    };
    const std::vector<double> values = matrix.read(folder_);
    ConvWeights weights{std::vector<float>(values.size()), std::vector<float>(outputs, 0.0f)};
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c)
        weights.weight[transposed ? r * columns + c : c * rows + r] =
            static_cast<float>(scale("alpha") * values[r * columns + c]);
    if (has_input(node, 2)) {
      const bool single = constant_input(node, 2).size() == 1;
      const auto bias = numbers(node, 2, single ? 1 : outputs);
      for (std::int64_t o = 0; o < outputs; ++o)
        weights.bias[o] = static_cast<float>(scale("beta") * bias[single ? 0 : o]);
    }
    const int unit = new_unit(node, {{from.unit}});
    units_.append(unit, Conv2d{.out_channels = static_cast<int>(outputs), .kernel = {in.h, in.w}}, std::move(weights));
    define(node, {unit, true});
  }

  void same(const OnnxNode& node) {
    if (const auto found = model_.constants.find(input_name(node, 0)); found != model_.constants.end())
      model_.constants[node.outputs[0]] = OnnxTensor(found->second);
    else
      define(node, value(node, 0));
    // Who reads the copy reads the original.
    if (const int copies = readers_[node.outputs[0]]; values_.contains(node.inputs[0]))
      readers_[node.outputs[0]] = readers_[node.inputs[0]] + copies - 1;
  }
  void constant(const OnnxNode& node) {
    const auto found = node.attributes.find("value");
    if (found == node.attributes.end()) throw Error("only constants given as a tensor are supported");
    model_.constants[node.outputs[0]] = found->second.tensor;
  }

  static std::int64_t attribute(const OnnxNode& node, const char* name, std::int64_t otherwise) {
    const auto found = node.attributes.find(name);
    return found == node.attributes.end() ? otherwise : found->second.integer;
  }

  OnnxModel model_;
  std::string folder_;
  int batch_ = 1;
  OnnxUnits units_;
  std::unordered_map<std::string, Tensor> values_;
  std::unordered_map<std::string, int> readers_;
};

}  // namespace

Graph import_onnx(std::string_view bytes, const std::string& name, const std::string& folder) {
  return Importer(parse_onnx(bytes), folder).run(name);
}

}  // namespace opsched
