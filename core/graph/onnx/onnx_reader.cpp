#include "core/graph/onnx/onnx_reader.hpp"

#include <algorithm>
#include <unordered_set>

#include "core/graph/graph_spec.hpp"
#include "core/names.hpp"

namespace opsched {
namespace {

// Operator-set versions between which the meaning of everything read here is unchanged. A newer version may give an
// operator an attribute that this code would ignore.
constexpr std::int64_t oldest_opset = 7, newest_opset = 28;

// Limit on channels that are last: each costs an operator.
constexpr int most_channels_last = 16;

const OnnxOperators& operators() {
  static const OnnxOperators all = [] {
    OnnxOperators list;
    add_onnx_layers(list);
    add_onnx_elementwise(list);
    add_onnx_arithmetic(list);
    add_onnx_images(list);
    add_onnx_normalisation(list);
    add_onnx_reductions(list);
    add_onnx_slices(list);
    add_onnx_steps(list);
    add_onnx_shapes(list);
    add_onnx_folding(list);
    return list;
  }();
  return all;
}

bool is_own_domain(const OnnxNode& node) { return node.domain.empty() || node.domain == "ai.onnx"; }
bool is_known(const OnnxNode& node) { return is_own_domain(node) && operators().contains(node.type); }

std::string title(const OnnxNode& node) {
  return "node '" + (node.name.empty() && !node.outputs.empty() ? node.outputs[0] : node.name) + "' (" + node.type +
         ")";
}

/// For example "Sinh (1 node)".
std::string counted(const std::map<std::string, int>& operators) {
  return joined(operators, [](const auto& entry) {
    return entry.first + " (" + std::to_string(entry.second) + (entry.second == 1 ? " node)" : " nodes)");
  });
}

}  // namespace

/// Marks the nodes that an output depends on. The nodes of a model are in topological order.
std::vector<char> OnnxReader::needed_nodes() const {
  std::unordered_set<std::string> names;
  for (const OnnxValue& output : model_.outputs) names.insert(output.name);
  std::vector<char> needed(model_.nodes.size(), 0);
  for (std::size_t i = model_.nodes.size(); i-- > 0;) {
    const OnnxNode& node = model_.nodes[i];
    if (std::ranges::none_of(node.outputs, [&](const std::string& name) { return names.contains(name); })) continue;
    needed[i] = 1;
    names.insert(node.inputs.begin(), node.inputs.end());
  }
  return needed;
}

/// By node, the values that no later node reads.
std::vector<std::vector<std::string>> OnnxReader::last_reads(const std::vector<char>& needed) const {
  std::unordered_set<std::string> read_later;
  std::vector<std::vector<std::string>> last(model_.nodes.size());
  for (std::size_t i = model_.nodes.size(); i-- > 0;)
    if (needed[i])
      for (const std::string& name : model_.nodes[i].inputs)
        if (read_later.insert(name).second) last[i].push_back(name);
  return last;
}

/// Throws Error with everything that is not supported, not only the first find.
void OnnxReader::check_operators(const std::vector<char>& needed) const {
  std::map<std::string, int> unknown, attention;
  std::unordered_set<std::string> constants;  // folded constants
  const auto is_constant = [&](const std::string& name) {
    return name.empty() || model_.constants.contains(name) || constants.contains(name);
  };
  for (std::size_t i = 0; i < model_.nodes.size(); ++i) {
    const OnnxNode& node = model_.nodes[i];
    const bool of_constants = is_own_domain(node) && (node.type == "Shape" || node.type == "Size" ||
                                                      (node.type == "CastLike" && is_constant(node.input(0))) ||
                                                      std::ranges::all_of(node.inputs, is_constant));
    if (of_constants) constants.insert(node.outputs.begin(), node.outputs.end());
    const bool multiplies_values = is_own_domain(node) && node.type == "MatMul" && node.inputs.size() == 2 &&
                                   !is_constant(node.inputs[0]) && !is_constant(node.inputs[1]);
    if (needed[i] && (multiplies_values || node.type.ends_with("Attention")))
      ++attention[multiplies_values ? "MatMul of two computed values" : node.type];
    else if (needed[i] && !is_known(node) && !(of_constants && folds_onnx(node)))
      ++unknown[(is_own_domain(node) ? "" : node.domain + "::") + node.type];
  }
  if (!attention.empty())
    throw Error("attention is not supported: " + counted(attention) +
                (unknown.empty() ? "" : "; these operators are not supported either: " + counted(unknown)));
  if (unknown.empty()) return;
  throw Error("these operators are not supported: " + counted(unknown) +
              "; supported operators: " + joined(operators(), [](const auto& entry) { return entry.first; }));
}

Graph OnnxReader::read(const std::string& name) {
  if (model_.nodes.size() > max_file_operators)
    throw Error("the model has more than " + std::to_string(max_file_operators) + " nodes");
  if (model_.opset < oldest_opset)
    throw Error("the model uses version " + std::to_string(model_.opset) + " of ONNX's operators; at least " +
                std::to_string(oldest_opset) + " is needed (convert it with onnx.version_converter)");
  if (model_.opset > newest_opset)
    throw Error("the model uses version " + std::to_string(model_.opset) +
                " of ONNX's operators; the newest supported one is " + std::to_string(newest_opset) +
                " (export the model for that or an older one)");
  if (model_.outputs.empty()) throw Error("the model has no output");
  const std::vector<char> needed = needed_nodes();
  check_operators(needed);
  for (const OnnxValue& input : model_.inputs) add_input(input);
  const std::vector<std::vector<std::string>> last_read = last_reads(needed);
  for (std::size_t i = 0; i < model_.nodes.size(); ++i)
    if (needed[i]) read(model_.nodes[i], last_read[i]);
  std::vector<OnnxOutput> outputs;
  for (const OnnxValue& value : model_.outputs) outputs.push_back(output(value));
  weights_.clear();  // frees the originals of weights that fusion replaces
  return units_.finish(name, batch_, outputs);
}

void OnnxReader::read(const OnnxNode& node, const std::vector<std::string>& last_read) {
  try {
    if (node.outputs.empty() || node.outputs[0].empty()) throw Error("it has no first output");
    if (!fold_onnx(*this, node)) operators().at(node.type)(*this, node);
  } catch (const Error& e) {
    throw Error(title(node) + ": " + e.what());
  }
  for (const std::string& name : last_read)
    if (const auto found = model_.constants.find(name); found != model_.constants.end() && found->second->computed)
      model_.constants.erase(found);
}

void OnnxReader::add_input(const OnnxValue& input) {
  const std::string where = "input '" + input.name + "': ";
  const auto& d = input.dims;
  const bool fixed =
      d.size() >= 2 && d.size() <= 4 && std::all_of(d.begin() + 1, d.end(), [](std::int64_t n) { return n > 0; });
  if (!is_onnx_float(input.type))
    throw Error(where + "has values of type " + onnx_type_name(input.type) + "; only float images are supported");
  if (!fixed || *std::max_element(d.begin(), d.end()) > max_axis)
    throw Error(
        where +
        "must have the shape [batch, channels, height, width] with fixed numbers except for the batch; export the "
        "model with a fixed image size");
  if (d[0] > max_batch)
    throw Error(where + "its batch of " + std::to_string(d[0]) + " is too large; at most " + std::to_string(max_batch) +
                " is supported");
  const int batch = d[0] > 0 ? static_cast<int>(d[0]) : 1;
  if (!values_.empty() && batch != batch_) throw Error(where + "its batch differs from that of the preceding inputs");
  batch_ = batch;
  if (input.channels_last) return add_channels_last(input);
  const auto size = [&](std::size_t axis) { return axis < d.size() ? static_cast<int>(d[axis]) : 1; };
  const Shape shape = d.size() == 3 ? Shape{size(1), 1, size(2)} : Shape{size(1), size(2), size(3)};
  std::vector<std::int64_t> dims = d;
  dims[0] = batch_;
  const int unit = units_.add_input({input.name}, shape);
  values_[input.name] = {{units_.all(unit)}, shape, std::move(dims)};
}

/// The input is stored as an image of one channel: channel k is every c-th column, starting at k.
void OnnxReader::add_channels_last(const OnnxValue& input) {
  const int h = static_cast<int>(input.dims[1]), w = static_cast<int>(input.dims[2]),
            c = static_cast<int>(input.dims[3]);
  if (c > most_channels_last || std::int64_t{w} * c > max_axis)
    throw Error("input '" + input.name + "': " + std::to_string(c) + " channels as the last axis are not supported");
  const int image = units_.add_input({input.name}, {1, h, w * c});
  OnnxData data{{}, {c, h, w}, {batch_, h, w, c}, true};
  for (int k = 0; k < c; ++k) {
    data.pieces.push_back(units_.all(image));
    if (c == 1) break;
    const int channel = units_.add({input.name + "/" + std::to_string(k)}, {{units_.all(image)}});
    units_.append_padding(channel, {0, -k}, {0, 2 * k + 1 - c}, {1, c});
    data.pieces.back() = units_.all(channel);
  }
  values_[input.name] = std::move(data);
}

/// The reverse of add_channels_last().
OnnxData OnnxReader::as_one_channel(const OnnxData& data) {
  std::vector<Term> terms;
  for (const Value& piece : data.pieces) terms.push_back({piece});
  const int unit = units_.add({"channels last"}, std::move(terms));
  units_.append(unit, DepthToSpace{.block = {1, data.shape.c}});
  return {{units_.all(unit)}, units_[unit].output, data.dims};
}

OnnxOutput OnnxReader::output(const OnnxValue& value) {
  const auto found = values_.find(value.name);
  if (found == values_.end()) throw Error("output '" + value.name + "' is not computed by any node");
  if (found->second.pieces.empty())
    throw Error("output '" + value.name +
                "' is an intermediate step of a normalisation or of GELU, which is only supported as a whole");
  const OnnxData data = found->second.channels_last ? as_one_channel(found->second) : found->second;
  if (data.dims.empty() || data.dims[0] != batch_)
    throw Error("output '" + value.name + "' has the shape " + to_string(data.dims) +
                ", which does not begin with the batch of " + std::to_string(batch_));
  OnnxOutput output{value.name, {}};
  for (const Value& piece : data.pieces) output.terms.push_back({piece});
  return output;
}

const OnnxData* OnnxReader::found(const OnnxNode& node, std::size_t i) const {
  return constant(node, i) ? nullptr : &value(node, i);
}

const OnnxData& OnnxReader::value(const OnnxNode& node, std::size_t i) const {
  const std::string& name = node.input(i);
  if (const auto found = values_.find(name); found != values_.end()) return found->second;
  if (model_.constants.contains(name)) throw Error("input '" + name + "' is a constant, which is not supported here");
  throw Error("input '" + name + "' does not exist or is computed later");
}

const OnnxData& OnnxReader::computed(const OnnxNode& node, std::size_t i) const {
  const OnnxData& data = value(node, i);
  if (!data.pieces.empty()) return data;
  if (data.meaning->kind == OnnxMeaning::low_padded)
    throw Error("input '" + node.input(i) + "' is padded with -inf, which only a max pool may read");
  throw Error("input '" + node.input(i) +
              "' is an intermediate step of a normalisation or of GELU, which is only supported as a whole");
}

const OnnxData& OnnxReader::data(const OnnxNode& node, std::size_t i) const {
  const OnnxData& data = computed(node, i);
  if (data.channels_last)
    throw Error("input '" + node.input(i) + "' has its channels last (" + to_string(data.dims) +
                "), which is not supported here");
  return data;
}

const OnnxData& OnnxReader::channels(const OnnxNode& node, std::size_t i) const {
  const OnnxData& value = data(node, i);
  std::int64_t plane = 1;
  for (std::size_t d = 2; d < value.dims.size(); ++d) plane *= value.dims[d];
  if (value.dims.size() < 2 || value.dims[0] != batch_ || value.dims[1] != value.shape.c ||
      plane != std::int64_t{value.shape.h} * value.shape.w)
    throw Error("input '" + node.input(i) + "' has been reshaped to " + to_string(value.dims) + "; only [" +
                std::to_string(batch_) + ", " + std::to_string(value.shape.c) + ", ...] is supported here");
  return value;
}

const OnnxData& OnnxReader::image(const OnnxNode& node, std::size_t i) const {
  const OnnxData& value = data(node, i);
  const std::vector<std::int64_t> dims{batch_, value.shape.c, value.shape.h, value.shape.w};
  if (value.dims != dims)
    throw Error("input '" + node.input(i) + "' has been reshaped to " + to_string(value.dims) + "; only " +
                to_string(dims) + " is supported here");
  return value;
}

const OnnxTensor* OnnxReader::constant(const OnnxNode& node, std::size_t i) const {
  const auto found = model_.constants.find(node.input(i));
  return found == model_.constants.end() ? nullptr : found->second.get();
}
const OnnxTensor& OnnxReader::needed_constant(const OnnxNode& node, std::size_t i) const {
  const OnnxTensor* const tensor = constant(node, i);
  if (!tensor) throw Error("input '" + node.input(i) + "' must be a constant");
  return *tensor;
}

std::vector<float> OnnxReader::floats(const OnnxNode& node, std::size_t i, std::int64_t length) {
  const OnnxTensor& tensor = needed_constant(node, i);
  if (tensor.size() != length)
    throw Error("constant '" + tensor.name + "' has " + std::to_string(tensor.size()) + " values, but " +
                std::to_string(length) + " are needed");
  return tensor.floats(files_);
}
std::vector<std::int64_t> OnnxReader::integers(const OnnxNode& node, std::size_t i) {
  return needed_constant(node, i).integers(files_);
}

int OnnxReader::add_unit(const OnnxNode& node, std::vector<Term> terms) {
  return units_.add({node.name, node.outputs[0], node.type}, std::move(terms));
}
int OnnxReader::add_unit(const OnnxNode& node, const OnnxData& from) {
  std::vector<Term> terms;
  for (const Value& piece : from.pieces) terms.push_back({piece});
  return add_unit(node, std::move(terms));
}

int OnnxReader::add_product(const OnnxNode& node, std::vector<Term> terms) {
  return units_.add_product({node.name, node.outputs[0], node.type}, std::move(terms));
}
Term OnnxReader::term_of(const OnnxNode& node, const OnnxData& from) {
  if (from.pieces.size() == 1) return {from.pieces.front()};
  return {units_.all(add_unit(node, from))};
}

OnnxNumbers OnnxReader::numbers(const OnnxTensor& tensor) {
  if (is_onnx_float(tensor.type)) {
    const std::vector<float> values = tensor.floats(files_);
    return {tensor.dims, {values.begin(), values.end()}, OnnxNumbers::Type::floating};
  }
  const std::vector<std::int64_t> values = tensor.integers(files_);
  return {tensor.dims,
          {values.begin(), values.end()},
          tensor.is_boolean() ? OnnxNumbers::Type::boolean : OnnxNumbers::Type::integer};
}
double OnnxReader::number(const OnnxNode& node, std::size_t i, double otherwise) {
  if (!node.has_input(i)) return otherwise;
  const std::vector<double> values = numbers(needed_constant(node, i)).values;
  if (values.size() != 1) throw Error("constant '" + node.inputs[i] + "' must be one number");
  return values.front();
}

std::size_t onnx_axis(std::int64_t axis, std::size_t rank, std::size_t last) {
  const std::int64_t from_front = axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
  if (from_front < 0 || from_front > static_cast<std::int64_t>(last))
    throw Error("there is no axis " + std::to_string(axis) + " in " + std::to_string(rank) + " dimensions");
  return static_cast<std::size_t>(from_front);
}

std::shared_ptr<const ConvWeights> OnnxReader::weights(const OnnxTensor& weight, const OnnxTensor* bias,
                                                       int out_channels) {
  // A folded constant is freed once it has been read, and another constant may then get its address.
  const bool lasting = !weight.computed && !(bias && bias->computed);
  if (const auto found = weights_.find({&weight, bias}); lasting && found != weights_.end()) return found->second;
  ConvWeights own{weight.floats(files_), std::vector<float>(out_channels, 0.0f)};
  if (bias) own.bias = bias->floats(files_);
  if (own.bias.size() != static_cast<std::size_t>(out_channels))
    throw Error("constant '" + bias->name + "' has " + std::to_string(own.bias.size()) + " values, but " +
                std::to_string(out_channels) + " are needed");
  auto weights = std::make_shared<const ConvWeights>(std::move(own));
  if (lasting) weights_[{&weight, bias}] = weights;
  return weights;
}

void OnnxReader::define(const OnnxNode& node, int unit) {
  const Shape& shape = units_[unit].output;
  define(node, unit, {batch_, shape.c, shape.h, shape.w});
}
void OnnxReader::define(const OnnxNode& node, int unit, std::vector<std::int64_t> dims) {
  define(node, OnnxData{{units_.all(unit)}, units_[unit].output, std::move(dims)});
}
void OnnxReader::define(const OnnxNode& node, OnnxData data, std::size_t output) {
  values_[node.outputs.at(output)] = std::move(data);
}
void OnnxReader::define_sequence(const OnnxNode& node, std::vector<OnnxData> values) {
  sequences_[node.outputs.at(0)] = std::move(values);
}
const std::vector<OnnxData>& OnnxReader::sequence(const OnnxNode& node, std::size_t i) const {
  const auto found = sequences_.find(node.input(i));
  if (found == sequences_.end()) throw Error("input '" + node.input(i) + "' is not a list of values");
  return found->second;
}
OnnxData OnnxReader::pixel_row(const OnnxNode& node, const OnnxData& from, std::int64_t begin, std::int64_t width) {
  const int unit = add_unit(node, from);
  append(unit, PixelRow{.begin = static_cast<int>(begin), .width = static_cast<int>(width)});
  const Shape& shape = units_[unit].output;
  return {{units_.all(unit)}, shape, {batch_, shape.c, shape.h, shape.w}};
}

OnnxData OnnxReader::data_like(int unit, const OnnxData& from) const {
  return {{units_.all(unit)}, units_[unit].output, from.dims, from.channels_last};
}
void OnnxReader::define_like(const OnnxNode& node, int unit, const OnnxData& from) {
  define(node, data_like(unit, from));
}
void OnnxReader::define_step(const OnnxNode& node, OnnxMeaning meaning, const OnnxData& like) {
  define(node,
         {{}, like.shape, like.dims, like.channels_last, std::make_shared<const OnnxMeaning>(std::move(meaning))});
}
void OnnxReader::define(const OnnxNode& node, std::shared_ptr<const OnnxTensor> constant) {
  model_.constants[node.outputs[0]] = std::move(constant);
}
void OnnxReader::define(const OnnxNode& node, OnnxTensor constant) {
  define(node, std::make_shared<const OnnxTensor>(std::move(constant)));
}
void OnnxReader::define_same(const OnnxNode& node) {
  if (constant(node, 0))
    define(node, model_.constants.at(node.inputs[0]));
  else
    define(node, OnnxData(value(node, 0)));
}

}  // namespace opsched
