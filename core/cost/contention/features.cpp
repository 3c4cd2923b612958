#include "core/cost/contention/features.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace opsched {

OperatorFeatures operator_features(const Operator& op, int batch, int element_bytes) {
  OperatorFeatures f;
  for (const Term& term : op.terms) f.values += static_cast<double>(term.size());
  f.joins = op.is_join() && std::ranges::all_of(op.terms, [](const Term& term) { return term.size() == 1; });
  f.bytes_read = static_cast<double>(values_read(op)) * batch * element_bytes;
  f.outputs = static_cast<double>(op.output.size()) * batch;
  f.bytes_written = f.outputs * element_bytes;
  f.pixels = static_cast<double>(op.output.h) * op.output.w * batch;
  f.channels = op.output.c;
  f.reduction = f.kernel_area = 1;
  f.layers = static_cast<double>(op.layers.size());
  Shape shape = op.input;
  double heaviest = 0;
  for (std::size_t i = 0; i < op.layers.size(); ++i) {
    const Layer& layer = op.layers[i];
    const Shape out = infer_shape(layer, shape);
    if (is_done_by_next(op, i, shape)) {  // no kernel of its own
      f.weight_bytes += static_cast<double>(layer_weights(layer, shape)) * element_bytes;
      --f.layers;
      continue;
    }
    if (const auto* conv = std::get_if<Conv2d>(&layer)) {
      const double macs = static_cast<double>(layer_macs(layer, shape)) * batch;
      f.macs += macs;
      f.weight_bytes += static_cast<double>(layer_weights(layer, shape)) * element_bytes;
      f.kernel_area = std::max(f.kernel_area, static_cast<double>(conv->kernel[0]) * conv->kernel[1]);
      f.stride *= conv->stride[0] * conv->stride[1];
      if (is_depthwise(layer, shape)) f.depthwise = true;
      if (macs > heaviest) {
        heaviest = macs;
        f.reduction = macs / (static_cast<double>(out.size()) * batch);
      }
    } else if (const auto* pool = std::get_if<Pool2d>(&layer)) {
      const bool global = pool->type == PoolType::global_avg;
      const double window = global ? double(shape.h) * shape.w : double(pool->kernel[0]) * pool->kernel[1];
      f.pool = true;
      f.kernel_area = std::max(f.kernel_area, window);
      if (!global) f.stride *= pool->stride[0] * pool->stride[1];
      if (heaviest == 0) f.reduction = std::max(f.reduction, window);
    }
    shape = out;
  }
  return f;
}

bool is_chain(const Operator& op) {
  int kernels = 0;
  Shape shape = op.input;
  for (std::size_t i = 0; i < op.layers.size(); ++i) {
    kernels += !std::holds_alternative<Activate>(op.layers[i]) && !is_done_by_next(op, i, shape);
    shape = infer_shape(op.layers[i], shape);
  }
  return kernels > 1;
}

std::vector<double> regression_features(const OperatorFeatures& f) {
  const auto log = [](double x) { return std::log(x + 1); };
  return {log(f.macs),
          log(f.bytes_read + f.bytes_written),
          log(f.weight_bytes),
          log(f.pixels),
          log(f.channels),
          log(f.reduction),
          log(f.kernel_area),
          log(f.values),
          log(f.stride),
          std::log(std::max(1.0, f.layers)),
          f.macs > 0 ? 1.0 : 0.0,
          f.depthwise ? 1.0 : 0.0,
          f.pool ? 1.0 : 0.0,
          f.joins ? 1.0 : 0.0};
}

Operator merged_operator(std::span<const Operator> ops) {
  if (ops.empty() || !ops.front().as_conv()) throw Error("only convolutions can be merged");
  Operator merged = ops.front();
  Conv2d conv = *ops.front().as_conv();
  for (const Operator& op : ops.subspan(1)) {
    const Conv2d* other = op.as_conv();
    if (!other) throw Error("only convolutions can be merged");
    conv.out_channels += other->out_channels;
    for (int d : {0, 1}) {
      conv.kernel[d] = std::max(conv.kernel[d], other->kernel[d]);
      conv.padding[d] = std::max(conv.padding[d], other->padding[d]);
    }
  }
  merged.layers = {conv};
  merged.output = infer_shape(conv, merged.input);
  return merged;
}

}  // namespace opsched
