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
    case Step::Kind::transfer:
      return "transfer";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& out, const Shape& s) { return out << s.c << 'x' << s.h << 'x' << s.w; }

void write_pair(std::ostream& out, char tag, const std::array<int, 2>& pair) {
  out << ' ' << tag << pair[0] << 'x' << pair[1];
}

void write_layout(std::ostream& out, const TensorLayout& t) {
  out << t.n << ',' << t.c << ',' << t.h << ',' << t.w << 'a' << t.alignment;
}

}  // namespace

TensorLayout dense_layout(const Shape& shape, TensorFormat layout) {
  return slice_layout(shape, 0, shape.c, 1, layout, /*element_bytes=*/4);
}

TensorLayout slice_layout(const Shape& whole, int channel, int channels, int batch, TensorFormat layout,
                          int element_bytes) {
  const std::int64_t plane = std::int64_t{whole.h} * whole.w;
  TensorLayout t;
  t.n = (batch == 1 && layout == TensorFormat::nchw ? channels : whole.c) * plane;
  if (layout == TensorFormat::nchw) {
    t.c = plane;
    t.h = whole.w;
    t.w = 1;
  } else {
    t.c = 1;
    t.h = std::int64_t{whole.w} * whole.c;
    t.w = whole.c;
  }
  const std::int64_t offset = slice_offset(whole, channel, layout, element_bytes);
  t.alignment = 16;
  while (offset % t.alignment != 0) t.alignment /= 2;
  return t;
}

std::int64_t slice_offset(const Shape& whole, int channel, TensorFormat layout, int element_bytes) {
  return layout == TensorFormat::nchw ? std::int64_t{channel} * whole.h * whole.w * element_bytes
                                      : std::int64_t{channel} * element_bytes;
}

std::string Problem::key() const {
  std::ostringstream out;
  out << name(kind) << ' ' << to_string(precision) << ' ' << to_string(layout) << " n" << batch << ' ' << input
      << " -> " << output;
  if (const auto* conv = std::get_if<Conv2d>(&layer)) {
    write_pair(out, 'k', conv->kernel);
    write_pair(out, 's', conv->stride);
    write_pair(out, 'p', conv->padding);
    out << " g" << conv->groups << ' ' << to_string(conv->act);
  } else if (const auto* pool = std::get_if<Pool2d>(&layer)) {
    if (pool->type == PoolType::global_avg) {
      out << " global_avg";
    } else {
      out << (pool->type == PoolType::max ? " max" : pool->count_padding ? " avg" : " avg_valid");
      write_pair(out, 'k', pool->kernel);
      write_pair(out, 's', pool->stride);
      write_pair(out, 'p', pool->padding);
    }
  }
  out << " pre:" << to_string(pre) << " in:";
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (i > 0) out << '+';
    write_layout(out, inputs[i]);
  }
  out << " out:";
  write_layout(out, result);
  return out.str();
}

Problem make_problem(const Program& program, const Step& step, Precision precision, TensorFormat layout, int batch) {
  if (step.kind == Step::Kind::transfer)
    throw Error("a transfer between devices is not a problem of the kernel library");
  const auto place = [&](const View& view) {
    return slice_layout(program.buffers[view.buffer].shape, view.channel, view.channels, batch, layout,
                        element_bytes(precision));
  };
  const auto shape = [&](const View& view) {
    const Shape& whole = program.buffers[view.buffer].shape;
    return Shape{view.channels, whole.h, whole.w};
  };
  if (step.kind == Step::Kind::multiply || step.kind == Step::Kind::resize)
    throw Error("the kernel library has no " + std::string(name(step.kind)));
  Problem p;
  p.kind = step.kind;
  p.precision = precision;
  p.layout = layout;
  p.batch = batch;
  p.input = shape(step.inputs.front());
  p.output = shape(step.output);
  for (const View& view : step.inputs) p.inputs.push_back(place(view));
  p.result = place(step.output);
  p.pre = step.pre;
  p.layer = step.layer;
  return p;
}

}  // namespace opsched
