#include "core/graph/onnx/onnx_export.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_set>

#include "core/error.hpp"
#include "core/graph/onnx/onnx_writer.hpp"

namespace opsched {
namespace {

constexpr std::int64_t kLargest = (std::int64_t{1} << 31) - 1;

bool is_dilated_average(const Layer& layer) {
  const auto* pool = std::get_if<Pool2d>(&layer);
  return pool && pool->type == PoolType::avg && pool->dilation != std::array{1, 1};
}

int opset_of(const Graph& graph) {
  for (OpId id : graph.units())
    for (const Layer& layer : graph.op(id).layers)
      if (is_dilated_average(layer)) return 19;
  return 17;
}

OnnxWriter::Dims pair(const std::array<int, 2>& values) { return {values[0], values[1]}; }

/// Padding at the end that gives this size without rounding up, so that the last window is complete.
int end_padding(const Pool2d& pool, int d, int in, int out) {
  if (!pool.ceil) return pool.padding[d] + pool.more_padding[d];
  const int window = pool.dilation[d] * (pool.kernel[d] - 1) + 1;
  return std::max(0, (out - 1) * pool.stride[d] + window - in - pool.padding[d]);
}

class OnnxExport {
 public:
  OnnxExport(const Graph& graph, const std::function<ConvWeights(OpId, int)>& weights)
      : graph_(graph), weights_(weights), writer_(opset_of(graph)) {}

  std::string write() {
    writer_.name(graph_.name());
    name_values();
    for (OpId id : graph_.inputs()) writer_.input(names_[id], dims(graph_.op(id).output));
    for (OpId id : graph_.units()) write(id);
    for (OpId id : graph_.outputs()) writer_.output(names_[id], dims(graph_.op(id).output));
    return writer_.bytes();
  }

 private:
  OnnxWriter::Dims dims(const Shape& s) const { return {graph_.batch(), s.c, s.h, s.w}; }

  std::string free_name(std::string name) {
    while (!taken_.insert(name).second) name += "_";
    return name;
  }

  /// Inputs and outputs get their names first, because callers know them.
  void name_values() {
    names_.resize(graph_.size());
    for (OpId id : graph_.inputs()) names_[id] = free_name(graph_.op(id).name);
    const std::vector<OpId> outputs = graph_.outputs();
    const std::vector<std::string> wished = graph_.output_names();
    for (std::size_t i = 0; i < outputs.size(); ++i) names_[outputs[i]] = free_name(wished[i]);
    for (OpId id : graph_.units())
      if (names_[id].empty()) names_[id] = free_name(graph_.op(id).name);
  }

  using Strings = std::vector<std::string>;

  /// Adds a node and returns its output, as a separate value. The node is written when the next one is added, because
  /// the last node of an operator gets the operator's name.
  std::string node(const std::string& type, const Strings& inputs, const OnnxWriter::Attributes& attributes = {}) {
    write_last();
    last_ = {type, inputs, free_name(names_[op_] + "/" + type), attributes};
    return last_->output;
  }
  void write_last() {
    if (last_) writer_.node(last_->type, last_->inputs, {last_->output}, last_->attributes);
    last_.reset();
  }
  std::string integers(const std::string& what, const std::vector<std::int64_t>& values) {
    const std::string name = free_name(names_[op_] + "/" + what);
    writer_.integers(name, values);
    return name;
  }
  std::string floats(const std::string& what, const OnnxWriter::Dims& dims, const std::vector<float>& values) {
    written_ += static_cast<std::int64_t>(values.size() * sizeof(float));
    if (written_ > kLargest)
      throw Error("graph '" + graph_.name() + "': its weights exceed the size limit of an ONNX file (2 GiB)");
    const std::string name = free_name(names_[op_] + "/" + what);
    writer_.floats(name, dims, values);
    return name;
  }
  std::string number(const std::string& what, float value) { return floats(what, {}, {value}); }

  void write(OpId id) {
    op_ = id;
    const Operator& op = graph_.op(id);
    std::string value = gathered(op);
    Shape shape = op.input;
    for (std::size_t layer = 0; layer < op.layers.size(); ++layer) {
      const Shape out = infer_shape(op.layers[layer], shape);
      if (const auto* conv = std::get_if<Conv2d>(&op.layers[layer]))
        value = activated(convolved(value, *conv, shape, static_cast<int>(layer)), conv->act);
      else if (const auto* pool = std::get_if<Pool2d>(&op.layers[layer]))
        value = pooled(value, *pool, shape, out);
      else if (const auto* resize = std::get_if<Resize2d>(&op.layers[layer]))
        value = resized(value, *resize, shape, out);
      else if (const auto* blocks = std::get_if<DepthToSpace>(&op.layers[layer]))
        value = spread(value, *blocks, shape, out);
      else if (const auto* row = std::get_if<PixelRow>(&op.layers[layer]))
        value = in_a_row(value, *row, shape);
      else if (const auto* softmax = std::get_if<Softmax>(&op.layers[layer]))
        value = shares(value, *softmax, shape);
      else if (const auto* how = std::get_if<Normalize>(&op.layers[layer]))
        value = normalised(value, *how, shape);
      else
        value = activated(value, std::get<Activate>(op.layers[layer]).act);
      shape = out;
    }
    if (!last_) node("Identity", {value});
    last_->output = names_[id];
    write_last();
  }

  std::string value_of(const Value& value) {
    const int channels = graph_.op(value.op).output.c;
    if (value.begin == 0 && value.end == channels) return names_[value.op];
    return node("Slice", {names_[value.op], integers("begin", {value.begin}), integers("end", {value.end}),
                          integers("axis", {1})});
  }

  std::string gathered(const Operator& op) {
    Strings terms;
    for (const Term& term : op.terms) {
      Strings values;
      for (const Value& value : term) values.push_back(value_of(value));
      terms.push_back(values.size() == 1 ? values.front() : node("Sum", values));
    }
    if (terms.size() == 1) return terms.front();
    if (!op.is_product()) return node("Concat", terms, {{"axis", 1}});
    std::string product = terms.front();
    for (std::size_t i = 1; i < terms.size(); ++i) product = node("Mul", {product, terms[i]});
    return product;
  }

  std::string convolved(const std::string& value, const Conv2d& conv, const Shape& in, int layer) {
    const ConvWeights weights = weights_(op_, layer);
    const std::string weight =
        floats("weight", {conv.out_channels, in.c / conv.groups, conv.kernel[0], conv.kernel[1]}, weights.weight);
    const std::string bias = floats("bias", {conv.out_channels}, weights.bias);
    const OnnxWriter::Dims pads = {conv.padding[0], conv.padding[1], conv.padding[0] + conv.more_padding[0],
                                   conv.padding[1] + conv.more_padding[1]};
    return node("Conv", {value, weight, bias},
                {{"kernel_shape", pair(conv.kernel)},
                 {"strides", pair(conv.stride)},
                 {"dilations", pair(conv.dilation)},
                 {"group", conv.groups},
                 {"pads", pads}});
  }

  std::string pooled(const std::string& value, const Pool2d& pool, const Shape& in, const Shape& out) {
    if (pool.type == PoolType::global_avg) return node("GlobalAveragePool", {value});
    OnnxWriter::Attributes attributes = {
        {"kernel_shape", pair(pool.kernel)},
        {"strides", pair(pool.stride)},
        {"pads", OnnxWriter::Dims{pool.padding[0], pool.padding[1], end_padding(pool, 0, in.h, out.h),
                                  end_padding(pool, 1, in.w, out.w)}}};
    if (pool.dilation != std::array{1, 1}) attributes["dilations"] = pair(pool.dilation);
    if (pool.type == PoolType::max) return node("MaxPool", {value}, attributes);
    attributes["count_include_pad"] = std::int64_t{pool.count_padding};
    return node("AveragePool", {value}, attributes);
  }

  std::string resized(const std::string& value, const Resize2d& resize, const Shape& in, const Shape& out) {
    constexpr const char* coordinates[] = {"half_pixel", "asymmetric", "align_corners"};
    constexpr const char* rounding[] = {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"};
    OnnxWriter::Attributes attributes = {
        {"coordinate_transformation_mode", coordinates[static_cast<int>(resize.coordinates)]},
        {"mode", resize.interpolation == Interpolation::nearest ? "nearest" : "linear"}};
    if (resize.interpolation == Interpolation::nearest)
      attributes["nearest_mode"] = rounding[static_cast<int>(resize.rounding)];
    if (resize.scale == std::array{0.0, 0.0})
      return node("Resize", {value, "", "", integers("size", dims(out))}, attributes);
    const auto scale = [&](int d, int from, int to) {
      if (resize.scale[d] > 0) return static_cast<float>(resize.scale[d]);
      const float ratio = static_cast<float>(to) / static_cast<float>(from);
      return std::floor(from * ratio) < to ? std::nextafter(ratio, HUGE_VALF) : ratio;
    };
    return node("Resize", {value, "", floats("scale", {4}, {1, 1, scale(0, in.h, out.h), scale(1, in.w, out.w)})},
                attributes);
  }

  std::string reshaped(const std::string& value, const OnnxWriter::Dims& to) {
    return node("Reshape", {value, integers("dims", to)});
  }

  /// Non-square blocks: a convolution in which every tap puts one channel at one place.
  std::string spread(const std::string& value, const DepthToSpace& layer, const Shape& in, const Shape& out) {
    const std::int64_t n = graph_.batch(), bh = layer.block[0], bw = layer.block[1], phases = bh * bw;
    const std::int64_t channels = in.c / phases;
    std::string image = value;
    if (bh == bw) {
      image = node("DepthToSpace", {value}, {{"blocksize", bh}, {"mode", layer.phase_first ? "DCR" : "CRD"}});
    } else {
      if (layer.phase_first) {
        image = reshaped(image, {n, phases, channels, in.h, in.w});
        image = reshaped(node("Transpose", {image}, {{"perm", OnnxWriter::Dims{0, 2, 1, 3, 4}}}), dims(in));
      }
      std::vector<float> places(in.c * phases, 0.0f);
      for (std::int64_t c = 0; c < in.c; ++c) places[c * phases + c % phases] = 1;
      image = node("ConvTranspose", {image, floats("places", {in.c, 1, bh, bw}, places)},
                   {{"group", channels}, {"strides", OnnxWriter::Dims{bh, bw}}});
    }
    if (layer.crop == std::array{0, 0} && layer.crop_end == std::array{0, 0}) return image;
    return node("Slice", {image, integers("begin", pair(layer.crop)),
                          integers("end", {layer.crop[0] + out.h, layer.crop[1] + out.w}), integers("axis", {2, 3})});
  }

  std::string in_a_row(const std::string& value, const PixelRow& layer, const Shape& in) {
    const int pixels = in.h * in.w;
    const std::string row = reshaped(value, {graph_.batch(), in.c, 1, pixels});
    return node("Pad", {row, integers("pads", {0, 0, 0, layer.begin, 0, 0, 0, layer.width - layer.begin - pixels})});
  }

  std::string shares(const std::string& value, const Softmax& layer, const Shape& in) {
    if (layer.size == in.c) return node("Softmax", {value}, {{"axis", 1}});
    const std::int64_t groups = in.c / (layer.size * layer.inner);
    const std::string apart =
        reshaped(value, {graph_.batch(), groups, layer.size, std::int64_t{layer.inner} * in.h * in.w});
    return reshaped(node("Softmax", {apart}, {{"axis", 2}}), dims(in));
  }

  std::string normalised(const std::string& value, const Normalize& how, const Shape& in) {
    if (!how.per_pixel) {
      const std::string apart = reshaped(value, {graph_.batch(), how.groups, -1});
      const std::string factor = floats("factor", {how.groups}, std::vector<float>(how.groups, 1.0f));
      const std::string bias = floats("bias", {how.groups}, std::vector<float>(how.groups, 0.0f));
      return reshaped(node("InstanceNormalization", {apart, factor, bias}, {{"epsilon", how.epsilon}}), dims(in));
    }
    const auto mean = [&](const std::string& of) {
      return node("ReduceMean", {of}, {{"axes", OnnxWriter::Dims{2}}, {"keepdims", 1}});
    };
    const std::string apart =
        reshaped(value, {graph_.batch(), how.groups, in.c / how.groups, std::int64_t{in.h} * in.w});
    const std::string centred = node("Sub", {apart, mean(apart)});
    const std::string variance = node("Add", {mean(node("Mul", {centred, centred})), number("epsilon", how.epsilon)});
    return reshaped(node("Div", {centred, node("Sqrt", {variance})}), dims(in));
  }

  std::string activated(const std::string& x, const Activation& act) {
    switch (act.kind) {
      case Activation::none:
        return x;
      case Activation::relu:
        return node("Relu", {x});
      case Activation::tanh:
        return node("Tanh", {x});
      case Activation::sigmoid:
        return node("Sigmoid", {x});
      case Activation::leaky_relu:
        return node("LeakyRelu", {x}, {{"alpha", act.a}});
      case Activation::elu:
        return node("Elu", {x}, {{"alpha", act.a}});
      case Activation::clip:
        return node("Clip", {x, number("least", act.a), number("most", act.b)});
      case Activation::hard_sigmoid:
        return node("HardSigmoid", {x}, {{"alpha", act.a}, {"beta", act.b}});
      case Activation::hard_swish:
        return node("HardSwish", {x});
      case Activation::silu:
        return node("Mul", {x, node("Sigmoid", {x})});
      case Activation::gelu: {  // x (1 + erf(x / sqrt 2)) / 2
        const std::string share = node("Erf", {node("Mul", {x, number("root_half", 0.70710678f)})});
        return node("Mul", {node("Mul", {x, number("half", 0.5f)}), node("Add", {share, number("one", 1)})});
      }
      case Activation::softplus:
        return node("Softplus", {x});
    }
    throw Error("an activation that does not exist");
  }

  struct Node {
    std::string type;
    Strings inputs;
    std::string output;
    OnnxWriter::Attributes attributes;
  };

  const Graph& graph_;
  const std::function<ConvWeights(OpId, int)>& weights_;
  OnnxWriter writer_;
  OpId op_ = 0;                     ///< the operator that is being written
  std::vector<std::string> names_;  ///< names of the operators' values
  std::unordered_set<std::string> taken_;
  std::optional<Node> last_;
  std::int64_t written_ = 0;  ///< bytes of constants written so far
};

}  // namespace

std::string export_onnx(const Graph& graph, const std::function<ConvWeights(OpId, int layer)>& weights) {
  return OnnxExport(graph, weights).write();
}

}  // namespace opsched
