#include "core/runtime/program/kernel_problem.hpp"

#include <algorithm>
#include <sstream>

#include "core/error.hpp"

namespace opsched {
namespace {

const char* name(Step::Kind kind) {
  switch (kind) {
    case Step::Kind::conv:
      return "conv";
    case Step::Kind::depthwise:
      return "depthwise";
    case Step::Kind::pool:
      return "pool";
    case Step::Kind::gather:
      return "gather";
    case Step::Kind::multiply:
      return "multiply";
    case Step::Kind::resize:
      return "resize";
    case Step::Kind::depth_to_space:
      return "depth_to_space";
    case Step::Kind::pixel_row:
      return "pixel_row";
    case Step::Kind::softmax:
      return "softmax";
    case Step::Kind::normalize:
      return "normalize";
    case Step::Kind::transfer:
      return "transfer";
    case Step::Kind::send:
      return "send";
    case Step::Kind::receive:
      return "receive";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& out, const Shape& s) { return out << s.c << 'x' << s.h << 'x' << s.w; }

void write_pair(std::ostream& out, char tag, const std::array<int, 2>& pair) {
  out << ' ' << tag << pair[0] << 'x' << pair[1];
}

/// Fields that few windows use.
template <class Window>
void write_rare(std::ostream& out, const Window& w) {
  if (w.dilation != std::array{1, 1}) write_pair(out, 'd', w.dilation);
  if (w.more_padding != std::array{0, 0}) write_pair(out, 'e', w.more_padding);
}

void write_resize(std::ostream& out, const Resize2d& r) {
  constexpr const char* coordinates[] = {"half_pixel", "asymmetric", "align_corners"};
  constexpr const char* roundings[] = {"floor", "ceil", "half_down", "half_up"};
  out << ' ' << coordinates[static_cast<int>(r.coordinates)] << ' '
      << (r.interpolation == Interpolation::linear ? "linear" : roundings[static_cast<int>(r.rounding)]);
  if (r.scale != std::array{0.0, 0.0}) out << std::hexfloat << " x" << r.scale[0] << 'x' << r.scale[1];
}

/// Resets what makes no difference to a kernel, so that equal problems compare equal: the dilation of a window with one
/// row or column, how the output size was computed, the rounding mode of exact sizes.
void drop_idle(StepLayer& layer) {
  const auto dilation = [](auto& window) {
    for (int d : {0, 1})
      if (window.kernel[d] == 1) window.dilation[d] = 1;
  };
  if (auto* conv = std::get_if<Conv2d>(&layer)) dilation(*conv);
  if (auto* pool = std::get_if<Pool2d>(&layer)) {
    if (pool->type == PoolType::global_avg) *pool = {.type = PoolType::global_avg};
    if (pool->type == PoolType::max) pool->count_padding = true;
    pool->ceil = false;
    dilation(*pool);
  }
  if (auto* resize = std::get_if<Resize2d>(&layer); resize && resize->interpolation == Interpolation::linear)
    resize->rounding = Rounding::floor;
}

void write_layout(std::ostream& out, const TensorLayout& t) {
  out << t.n << ',' << t.c << ',' << t.h << ',' << t.w << 'a' << t.alignment;
}

}  // namespace

TensorLayout dense_layout(const Shape& shape, TensorFormat layout) {
  return slice_layout(shape, 0, shape.c, layout, /*element_bytes=*/4);
}

TensorLayout slice_layout(const Shape& whole, int channel, int channels, TensorFormat layout, int element_bytes,
                          Region region) {
  if (region.empty()) region = {{0, 1}, {0, whole.h}};
  const std::int64_t plane = std::int64_t{whole.h} * whole.w;
  TensorLayout t;
  t.n = whole.c * plane;
  if (region.images.size() == 1)
    t.n = layout == TensorFormat::nchw ? channels * plane : std::int64_t{whole.c} * region.rows.size() * whole.w;
  if (layout == TensorFormat::nchw) {
    t.c = plane;
    t.h = whole.w;
    t.w = 1;
  } else {
    t.c = 1;
    t.h = std::int64_t{whole.w} * whole.c;
    t.w = whole.c;
  }
  const std::int64_t offset = slice_offset(whole, channel, layout, element_bytes, region);
  t.alignment = 16;
  while (offset % t.alignment != 0) t.alignment /= 2;
  return t;
}

std::int64_t slice_offset(const Shape& whole, int channel, TensorFormat layout, int element_bytes,
                          const Region& region) {
  const int row = region.rows.begin;
  const std::int64_t first = layout == TensorFormat::nchw ? (std::int64_t{channel} * whole.h + row) * whole.w
                                                          : std::int64_t{row} * whole.w * whole.c + channel;
  return (first + region.images.begin * whole.size()) * element_bytes;
}

std::string Problem::key() const {
  std::ostringstream out;
  out << name(kind) << ' ' << to_string(precision) << ' ' << to_string(layout) << " n" << batch << ' ' << input
      << " -> " << output;
  if (const auto* conv = std::get_if<Conv2d>(&layer)) {
    write_pair(out, 'k', conv->kernel);
    write_pair(out, 's', conv->stride);
    write_pair(out, 'p', conv->padding);
    write_rare(out, *conv);
    out << " g" << conv->groups << ' ' << to_string(conv->act);
  } else if (const auto* pool = std::get_if<Pool2d>(&layer)) {
    if (pool->type == PoolType::global_avg) {
      out << " global_avg";
    } else {
      out << (pool->type == PoolType::max ? " max" : pool->count_padding ? " avg" : " avg_valid");
      write_pair(out, 'k', pool->kernel);
      write_pair(out, 's', pool->stride);
      write_pair(out, 'p', pool->padding);
      write_rare(out, *pool);
    }
  } else if (const auto* resize = std::get_if<Resize2d>(&layer)) {
    write_resize(out, *resize);
  } else if (const auto* pixels = std::get_if<DepthToSpace>(&layer)) {
    out << (pixels->phase_first ? " phase_first" : " phase_last");
    write_pair(out, 'k', pixels->block);
    write_pair(out, 'p', pixels->crop);
  } else if (const auto* row = std::get_if<PixelRow>(&layer)) {
    out << " from " << row->begin;
  } else if (const auto* softmax = std::get_if<Softmax>(&layer)) {
    out << ' ' << softmax->size << 'x' << softmax->inner;
  } else if (const auto* normalize = std::get_if<Normalize>(&layer)) {
    out << (normalize->per_pixel ? " pixels g" : " images g") << normalize->groups << std::hexfloat << " e"
        << normalize->epsilon << std::defaultfloat;
  }
  if (affine) out << " affine";
  out << " pre:" << to_string(pre) << " in:";
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (i > 0) out << '+';
    write_layout(out, inputs[i]);
  }
  out << " out:";
  write_layout(out, result);
  if (residual) {
    out << " residual:";
    write_layout(out, *residual);
    out << " post:" << to_string(post);
  }
  if (bias) out << " bias post:" << to_string(post);
  if (concurrent) out << " concurrent";
  return out.str();
}

int images_at_once(const Program& program, const Step& step) {
  const auto all_rows = [&](const View& view) {
    return view.region.rows.size() == program.buffers[view.buffer].shape.h;
  };
  const bool all = std::ranges::all_of(step.inputs, all_rows) && all_rows(step.output) &&
                   (!step.residual || all_rows(*step.residual));
  return all ? step.output.region.images.size() : 1;
}

Problem make_problem(const Program& program, const Step& step, Precision precision, TensorFormat layout) {
  if (moves_only(step.kind)) throw Error("a transfer between devices is not a problem of the kernel library");
  const int batch = images_at_once(program, step);
  const auto place = [&](const View& view) {
    Region region = view.region;
    region.images.end = region.images.begin + batch;
    const Shape& whole = program.buffers[view.buffer].shape;
    TensorLayout t = slice_layout(whole, view.channel, view.channels, layout, element_bytes(precision), region);
    if (batch < view.region.images.size())  // launched once per image, so each image must be aligned
      while (whole.size() * element_bytes(precision) % t.alignment != 0) t.alignment /= 2;
    return t;
  };
  const auto shape = [&](const View& view) { return shape_of(program, view); };
  Problem p;
  p.kind = step.kind;
  p.precision = precision;
  p.layout = layout;
  p.batch = batch;
  p.output = shape(step.output);
  p.input = step.kind == Step::Kind::multiply ? p.output : shape(step.inputs.front());
  for (const View& view : step.inputs) {
    TensorLayout& t = p.inputs.emplace_back(place(view));
    if (const Shape s = shape(view); step.kind == Step::Kind::multiply) {
      if (s.c < p.input.c) t.c = 0;
      if (s.h < p.input.h) t.h = 0;
      if (s.w < p.input.w) t.w = 0;
    }
  }
  p.result = place(step.output);
  p.affine = step.affine.has_value();
  p.pre = step.pre;
  p.layer = step.layer;
  if (step.residual) p.residual = place(*step.residual), p.post = step.post;
  if (step.kind == Step::Kind::pool && !step.weights.empty()) p.bias = true, p.post = step.post;
  p.concurrent = step.concurrent;
  drop_idle(p.layer);
  return p;
}

}  // namespace opsched
