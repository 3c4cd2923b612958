// Library kernels for depthwise convolutions, pools and gathers, and the list of kernels for everything other than
// dense convolutions.
#include <cuda_fp16.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

native::Sources sources_of(const Problem& problem, std::span<const void* const> inputs) {
  native::Sources sources;
  for (const void* data : inputs) {
    auto& source = sources.list[sources.count];
    source = {data, free_stride(problem.inputs[sources.count], problem.layout)};
    ++sources.count;
  }
  return sources;
}

bool is_half(const Problem& problem) { return problem.precision == Precision::fp16; }

class Gather : public Native {
 public:
  Gather(const Problem& problem, const std::string& name) : Native(problem, name) {
    const bool all_dense = is_dense(problem.result, problem.output, problem.layout) &&
                           std::ranges::all_of(problem.inputs, [&](const TensorLayout& t) {
                             return is_dense(t, problem.input, problem.layout);
                           });
    const Shape& s = problem.output;
    call_ = {problem.layout, is_half(problem), 1, problem.batch, s.c, s.h, s.w, problem.pre};
    if (problem.layout == TensorFormat::nchw && !has_dense_planes(problem)) {  // one row per channel
      if (problem.batch > 1) throw Error("rows of a batch of NCHW images are gathered image by image");
      call_ = {problem.layout, is_half(problem), 1, s.c, 1, s.h, s.w, problem.pre};
      int bytes = plane_alignment(problem.result, problem);
      for (const TensorLayout& t : problem.inputs) bytes = std::min(bytes, plane_alignment(t, problem));
      call_.vector = bytes / element_bytes(problem.precision);
      while (std::int64_t{s.h} * s.w % call_.vector != 0) call_.vector /= 2;
      by_channel_ = true;
    } else if (all_dense) {  // one long row
      const std::int64_t size = problem.batch * s.size();
      if (size >= std::int64_t{1} << 31) throw Error("a tensor of 2^31 or more elements is too large");
      call_ = {TensorFormat::nchw, is_half(problem), 1, 1, static_cast<int>(size), 1, 1, problem.pre};
      int bytes = problem.result.alignment;
      for (const TensorLayout& t : problem.inputs) bytes = std::min(bytes, t.alignment);
      call_.vector = bytes / element_bytes(problem.precision);
      while (size % call_.vector != 0) call_.vector /= 2;
    } else {
      call_.vector = common_vector(problem, problem.layout == TensorFormat::nchw ? s.size() : s.c);
    }
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void*,
              void*) const override {
    native::Sources sources = sources_of(problem_, inputs);
    for (int i = 0; by_channel_ && i < sources.count; ++i) sources.list[i].stride = problem_.inputs[i].c;
    native::gather(stream, call_, sources, output, by_channel_ ? problem_.result.c : out_stride());
  }

 private:
  native::GatherCall call_;
  bool by_channel_ = false;
};

native::Window window_of(const Problem& p) {
  native::Window g{};
  g.n = p.batch, g.c = p.input.c, g.h = p.input.h, g.w = p.input.w;
  g.oh = p.output.h, g.ow = p.output.w;
  g.kh = g.kw = g.sh = g.sw = 1;
  g.in_plane = p.inputs.front().c, g.out_plane = p.result.c;
  for (const TensorLayout& t : p.inputs)
    if (p.layout == TensorFormat::nchw && t.c != g.in_plane) throw Error("reads tensors of several channel strides");
  return g;
}

template <class L>
native::Window window_of(const Problem& p, const L& layer) {
  native::Window g = window_of(p);
  g.kh = layer.kernel[0], g.kw = layer.kernel[1];
  g.sh = layer.stride[0], g.sw = layer.stride[1];
  g.ph = layer.padding[0], g.pw = layer.padding[1];
  g.dh = layer.dilation[0], g.dw = layer.dilation[1];
  return g;
}

/// Is the pool a global average, or that of a strip (strips.hpp)? Then one window covers the whole input and all
/// padding that counts.
bool averages_all(const Pool2d& pool, const Shape& in) {
  if (pool.type != PoolType::avg) return pool.type == PoolType::global_avg;
  const auto covers = [&](int d, int size) {
    const int kernel = pool.kernel[d], before = pool.padding[d], after = before + pool.more_padding[d];
    return before >= 0 && after >= 0 && kernel == size + before + after && pool.dilation[d] == 1;
  };
  return pool.count_padding && covers(0, in.h) && covers(1, in.w);
}

class Pooling : public Native {
 public:
  Pooling(const Problem& problem, const std::string& name, int vector) : Native(problem, name) {
    const auto& pool = std::get<Pool2d>(problem.layer);
    if (problem.bias && pool.type != PoolType::avg) throw Error("only averages of windows add a bias");
    const bool global = !problem.bias && averages_all(pool, problem.input);
    const native::Window window = global ? window_of(problem) : window_of(problem, pool);
    call_ = {problem.layout,     is_half(problem), vector, window, global ? PoolType::global_avg : pool.type,
             pool.count_padding, problem.pre};
    call_.post = problem.post;
    if (problem.bias) weight_bytes_ = aligned(problem.output.c * sizeof(float));
    if (global)
      call_.divisor = static_cast<float>(pool.type == PoolType::global_avg ? problem.input.h * problem.input.w
                                                                           : pool.kernel[0] * pool.kernel[1]);
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override {
    std::vector<std::byte> packed(weight_bytes_);
    if (problem_.bias) std::memcpy(packed.data(), weights.bias.data(), problem_.output.c * sizeof(float));
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void*) const override {
    native::PoolCall call = call_;
    if (problem_.bias) call.bias = static_cast<const float*>(weights);
    native::pool(stream, call, sources_of(problem_, inputs), output, out_stride());
  }
  std::string weight_format() const override { return "bias"; }

 private:
  native::PoolCall call_;
};

native::DepthwiseCall depthwise_call(const Problem& problem) {
  const auto& conv = std::get<Conv2d>(problem.layer);
  if (conv.groups != problem.input.c || conv.out_channels != problem.input.c)
    throw Error("a depthwise convolution has as many groups and output channels as input channels");
  return {problem.layout,
          is_half(problem),
          window_of(problem, conv),
          problem.pre,
          conv.act,
          static_cast<int>(problem.inputs.size()),
          {}};
}

/// Can the pixels of all tensors be moved in pieces of 16 bytes?
bool has_vectors_of_16_bytes(const Problem& problem) {
  return problem.layout == TensorFormat::nhwc &&
         common_vector(problem, problem.input.c) * element_bytes(problem.precision) == 16;
}

class Depthwise : public Native {
 public:
  Depthwise(const Problem& problem, const std::string& name, const native::DepthwiseCall& call)
      : Native(problem, name), call_(call), taps_(std::size_t(call.window.kh) * call.window.kw) {
    bias_ = aligned(taps_ * call.window.c * element_bytes(problem.precision));
    weight_bytes_ = bias_ + aligned(call.window.c * sizeof(float));
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override {
    std::vector<std::byte> packed(weight_bytes_);
    const std::size_t channels = call_.window.c;
    for (std::size_t c = 0, i = 0; c < channels; ++c)
      for (std::size_t t = 0; t < taps_; ++t, ++i) {
        const std::size_t at = problem_.layout == TensorFormat::nchw ? i : t * channels + c;
        if (call_.half) {
          const __half h = __float2half(weights.weight[i]);
          std::memcpy(packed.data() + at * 2, &h, 2);
        } else {
          std::memcpy(packed.data() + at * 4, &weights.weight[i], 4);
        }
      }
    std::memcpy(packed.data() + bias_, weights.bias.data(), channels * sizeof(float));
    return packed;
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void*) const override {
    native::depthwise(stream, call_, sources_of(problem_, inputs), weights,
                      reinterpret_cast<const float*>(static_cast<const std::byte*>(weights) + bias_), output,
                      out_stride());
  }
  std::string weight_format() const override { return "depthwise " + to_string(problem_.layout); }

 private:
  native::DepthwiseCall call_;
  std::size_t taps_, bias_ = 0;
};

/// Kernels that need many outputs: fewer than these do not fill a GPU with rows to slide down.
std::vector<std::string> list_tiles(const Problem& problem) {
  constexpr std::int64_t kEnough = 4 << 20;
  native::DepthwiseCall call = depthwise_call(problem);
  std::vector<std::string> names;
  if (!has_vectors_of_16_bytes(problem) || problem.batch * problem.output.size() < kEnough) return names;
  int fewer = 0;
  for (int rows : {16, 32, 256}) {
    if (std::exchange(fewer, rows) >= problem.output.h) break;  // more rows change nothing
    for (int threads : {64, 128, 256}) {
      call.variant = {
          .kind = native::DepthwiseVariant::Kind::tile, .rows = rows, .vector = 2, .cols = 4, .threads = threads};
      if (native::supports(call)) names.push_back("tile/c4/r" + std::to_string(rows) + "/t" + std::to_string(threads));
    }
  }
  return names;
}

/// Whether the kernel's vectors are aligned in every plane. `supports` tells if they fit into the rows.
bool planes_are_aligned(const Problem& problem, const native::DepthwiseCall& call) {
  const int bytes = element_bytes(problem.precision), vector = call.variant.vector;
  const int out_vector = std::max(1, vector / call.window.sw);
  return plane_alignment(problem.result, problem) >= out_vector * bytes &&
         std::ranges::all_of(problem.inputs,
                             [&](const TensorLayout& t) { return plane_alignment(t, problem) >= vector * bytes; });
}

std::vector<std::string> list_planes(const Problem& problem) {
  if (problem.layout != TensorFormat::nchw) return {};
  native::DepthwiseCall call = depthwise_call(problem);
  std::vector<std::string> names;
  for (int vector : {4, 2, 1}) {
    int fewer = 0;
    for (int rows : {4, 8, 16, 32, 64, 256}) {
      if (std::exchange(fewer, rows) >= problem.output.h) break;  // more rows change nothing
      call.variant = {.kind = native::DepthwiseVariant::Kind::planes, .rows = rows, .vector = vector, .threads = 64};
      if (native::supports(call) && planes_are_aligned(problem, call))
        names.push_back("planes/v" + std::to_string(vector) + "/r" + std::to_string(rows) + "/t64");
    }
  }
  return names;
}

std::vector<std::string> list_depthwise(const Problem& problem) {
  using Kind = native::DepthwiseVariant::Kind;
  native::DepthwiseCall call = depthwise_call(problem);
  std::vector<std::string> names;
  for (int rows : {1, 2, 4})
    for (int threads : {64, 128, 256}) {
      call.variant = {.kind = Kind::tiled, .rows = rows, .threads = threads};
      if (native::supports(call)) names.push_back("tiled/r" + std::to_string(rows) + "/t" + std::to_string(threads));
    }
  const int widest = problem.layout == TensorFormat::nhwc ? common_vector(problem, problem.input.c) : 0;
  for (int vector = widest; vector >= 1; vector /= 2)
    for (int cols : {2, 4})
      for (int rows : {1, 4})
        for (int threads : {64, 128, 256}) {
          call.variant = {.kind = Kind::strip, .rows = rows, .vector = vector, .cols = cols, .threads = threads};
          if (native::supports(call))
            names.push_back("strip/v" + std::to_string(vector) + "/c" + std::to_string(cols) +
                            (rows > 1 ? "/r" + std::to_string(rows) : "") + "/t" + std::to_string(threads));
        }
  for (const std::string& name : list_planes(problem)) names.push_back(name);
  for (const std::string& name : list_tiles(problem)) names.push_back(name);
  if (names.empty())
    for (int vector = std::max(widest, 1); vector >= 1; vector /= 2)
      names.push_back("generic/v" + std::to_string(vector) + "/t128");
  return names;
}

native::DepthwiseVariant parse_depthwise(const std::string& name) {
  using Kind = native::DepthwiseVariant::Kind;
  const auto parts = split_name(name);
  if (parts[0] == "tiled" && parts.size() == 3)
    return {.kind = Kind::tiled, .rows = name_number(parts[1], 'r'), .threads = name_number(parts[2], 't')};
  if (parts[0] == "planes" && parts.size() == 4)
    return {.kind = Kind::planes,
            .rows = name_number(parts[2], 'r'),
            .vector = name_number(parts[1], 'v'),
            .threads = name_number(parts[3], 't')};
  if (parts[0] == "strip" && (parts.size() == 4 || parts.size() == 5))
    return {.kind = Kind::strip,
            .rows = parts.size() == 5 ? name_number(parts[3], 'r') : 1,
            .vector = name_number(parts[1], 'v'),
            .cols = name_number(parts[2], 'c'),
            .threads = name_number(parts.back(), 't')};
  if (parts[0] == "tile" && parts.size() == 4)
    return {.kind = Kind::tile,
            .rows = name_number(parts[2], 'r'),
            .vector = 2,
            .cols = name_number(parts[1], 'c'),
            .threads = name_number(parts[3], 't')};
  if (parts[0] == "generic" && parts.size() == 3)
    return {.kind = Kind::generic, .vector = name_number(parts[1], 'v'), .threads = name_number(parts[2], 't')};
  throw Error("there is no depthwise kernel '" + name + "'");
}

}  // namespace

std::vector<std::string> list_native(const Problem& problem) {
  if (problem.residual) return {};
  switch (problem.kind) {
    case Step::Kind::gather:
      return {"gather"};
    case Step::Kind::depthwise:
      return list_depthwise(problem);
    case Step::Kind::pool: {
      std::vector<std::string> names;
      if (!native::is_plain(problem.pre) || !native::is_plain(problem.post)) return names;
      for (int vector = problem.layout == TensorFormat::nhwc ? common_vector(problem, problem.input.c) : 1; vector >= 1;
           vector /= 2)
        names.push_back("pool/v" + std::to_string(vector));
      return names;
    }
    case Step::Kind::multiply:
      return {"multiply"};
    case Step::Kind::resize:
      return list_resizes(problem);
    case Step::Kind::depth_to_space:
    case Step::Kind::pixel_row:
    case Step::Kind::softmax:
    case Step::Kind::normalize:
      return list_channel_layers(problem);
    case Step::Kind::conv:
    case Step::Kind::transfer:
    case Step::Kind::send:
    case Step::Kind::receive:
      break;
  }
  return {};
}

std::unique_ptr<Kernel> build_native(const Problem& problem, const std::string& name) {
  if (problem.inputs.size() > native::kMaxSources) throw Error("too many inputs for one kernel");
  if (problem.residual) throw Error("there is no kernel '" + name + "' that adds a residual: " + problem.key());
  if (problem.kind == Step::Kind::gather && name == "gather") return std::make_unique<Gather>(problem, name);
  if (problem.kind == Step::Kind::multiply && name == "multiply") return build_product(problem, name);
  if (problem.kind == Step::Kind::resize && name.starts_with("resize/")) return build_resize(problem, name);
  if (name == "channels" && (problem.kind == Step::Kind::depth_to_space || problem.kind == Step::Kind::pixel_row ||
                             problem.kind == Step::Kind::softmax || problem.kind == Step::Kind::normalize))
    return build_channel_layer(problem, name);
  if (problem.kind == Step::Kind::pool && name.starts_with("pool/") && native::is_plain(problem.pre) &&
      native::is_plain(problem.post))
    return std::make_unique<Pooling>(problem, name, name_number(split_name(name)[1], 'v'));
  if (problem.kind == Step::Kind::depthwise) {
    native::DepthwiseCall call = depthwise_call(problem);
    call.variant = parse_depthwise(name);
    using Kind = native::DepthwiseVariant::Kind;
    const bool aligned = call.variant.kind == Kind::tile     ? has_vectors_of_16_bytes(problem)
                         : call.variant.kind == Kind::planes ? planes_are_aligned(problem, call)
                                                             : true;
    if (!aligned || !native::supports(call))
      throw Error("the depthwise kernel '" + name + "' cannot do " + problem.key());
    return std::make_unique<Depthwise>(problem, name, call);
  }
  throw Error("there is no kernel '" + name + "' for " + problem.key());
}

}  // namespace opsched
