// Random problems for the kernel library.
#pragma once

#include "tests/core/runtime/cuda/kernel_case.hpp"

namespace opsched {

inline Problem blank(Rng& rng, Precision precision, TensorFormat layout, Step::Kind kind) {
  Problem p;
  p.kind = kind;
  p.precision = precision;
  p.layout = layout;
  p.batch = pick(rng, {1, 1, 2, 3});
  return p;
}

inline Case random_depthwise(Rng& rng, Precision precision, TensorFormat layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::depthwise);
  const int c = pick(rng, {1, 3, 16, 42, 77, 168}), k = pick(rng, {3, 3, 5, 7}), stride = pick(rng, {1, 2});
  p.input = {c, pick(rng, {7, 11, 21, 40}), pick(rng, {7, 13, 28, 83})};
  Conv2d conv{.out_channels = c, .kernel = {k, k}, .stride = {stride, stride}, .padding = {k / 2, k / 2}, .groups = c};
  if (pick(rng, {0, 0, 0, 1})) conv.kernel = {k, 1}, conv.padding = {k / 2, 0}, conv.stride = {3, 1};
  if (pick(rng, {0, 0, 1})) make_uncommon(rng, conv, p.input);
  conv.act = random_activation(rng);
  p.layer = conv;
  p.pre = pick(rng, {0, 1}) ? Activation(Activation::relu) : random_activation(rng);
  return finish(rng, p, pick(rng, {1, 1, 2, 3, 8}));
}

inline Case random_pool(Rng& rng, Precision precision, TensorFormat layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::pool);
  p.input = {pick(rng, {1, 3, 16, 42, 77, 192}), pick(rng, {7, 8, 17, 35}), pick(rng, {7, 8, 28})};
  Pool2d pool{.type = static_cast<PoolType>(pick(rng, {0, 1, 2})), .kernel = {3, 3}};
  // Several warps or blocks share the pixels of a large image.
  if (pool.type == PoolType::global_avg && pick(rng, {0, 1})) p.input.h = pick(rng, {19, 50, 112}), p.input.w = 57;
  pool.stride = {pick(rng, {1, 2}), pick(rng, {1, 2})};
  pool.padding = {pick(rng, {0, 1}), pick(rng, {0, 1})};
  pool.count_padding = pick(rng, {0, 1});
  if (pick(rng, {0, 0, 1})) {
    pool.kernel = {pick(rng, {1, 2, 3}), pick(rng, {2, 3, 4})};
    make_uncommon(rng, pool, p.input);
    // A window entirely in the padding has neither maximum nor mean.
    for (int d : {0, 1}) pool.padding[d] = std::min(pool.padding[d], pool.dilation[d] * ((pool.kernel[d] - 1) / 2));
    for (int d : {0, 1}) pool.more_padding[d] = pick(rng, {0, -pool.padding[d]});
  } else if (pool.type != PoolType::avg || !pool.count_padding) {
    pool.ceil = pick(rng, {0, 1});
  }
  p.layer = pool;
  p.pre = pick(rng, {0, 1}) ? Activation(Activation::relu) : random_activation(rng);
  if (pool.type == PoolType::avg && pick(rng, {0, 1})) {
    p.bias = true;
    p.post = pick(rng, {0, 1}) ? Activation::relu : Activation::none;
  }
  return finish(rng, p, pick(rng, {1, 1, 3}));
}

inline Case random_gather(Rng& rng, Precision precision, TensorFormat layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::gather);
  p.input = {pick(rng, {1, 3, 16, 42, 77, 192}), pick(rng, {1, 7, 28}), pick(rng, {1, 8, 35})};
  p.pre = random_activation(rng);
  return finish(rng, p, pick(rng, {1, 2, 5, native::kMaxSources}));
}

/// Factors of all shapes, most often gates with one number per channel.
inline Case random_product(Rng& rng, Precision precision, TensorFormat layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::multiply);
  p.input = {pick(rng, {1, 3, 16, 42, 77, 192}), pick(rng, {1, 7, 28}), pick(rng, {1, 8, 35})};
  p.pre = random_activation(rng);
  return finish(rng, p, pick(rng, {1, 2, 2, 3, 5}));
}

inline Case random_resize(Rng& rng, Precision precision, TensorFormat layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::resize);
  p.input = {pick(rng, {1, 3, 16, 42, 192}), pick(rng, {1, 7, 13}), pick(rng, {1, 8, 17})};
  Resize2d resize{.size = {pick(rng, {1, 5, 14, 26}), pick(rng, {1, 9, 16, 34})},
                  .interpolation = static_cast<Interpolation>(pick(rng, {0, 1})),
                  .coordinates = static_cast<Coordinates>(pick(rng, {0, 1, 2})),
                  .rounding = static_cast<Rounding>(pick(rng, {0, 1, 2, 3}))};
  if (pick(rng, {0, 0, 1})) resize.scale = {2.0, 1.9};
  p.layer = resize;
  p.pre = pick(rng, {0, 1}) ? Activation(Activation::none) : random_activation(rng);
  return finish(rng, p, pick(rng, {1, 1, 2}));
}

inline Case random_conv(Rng& rng, Precision precision, TensorFormat layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::conv);
  const int groups = pick(rng, {1, 1, 1, 2, 4});
  p.input = {groups * pick(rng, {3, 16, 42, 77, 96}), pick(rng, {1, 8, 17}), pick(rng, {7, 8, 20})};
  const int kh = pick(rng, {1, 1, 3, 5}), kw = pick(rng, {kh, kh, 1, 7});
  const int stride = pick(rng, {1, 1, 2});
  Conv2d conv{.out_channels = groups * pick(rng, {7, 16, 42, 64}),
              .kernel = {kh, kw},
              .stride = {stride, stride},
              .padding = {kh / 2, kw / 2},
              .groups = groups,
              .act = random_activation(rng)};
  if (pick(rng, {0, 0, 1})) make_uncommon(rng, conv, p.input);
  p.layer = conv;
  p.pre = pick(rng, {0, 0, 1}) ? random_activation(rng) : Activation(Activation::none);
  return finish(rng, p, pick(rng, {1, 1, 1, 2}));
}

/// A 1x1 convolution after an affine layer, sometimes of a sum.
inline Case random_affine(Rng& rng, Precision precision, TensorFormat layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::conv);
  p.input = {pick(rng, {5, 16, 42, 64, 96, 256, 600}), pick(rng, {1, 7, 17}), pick(rng, {7, 8, 20})};
  const int stride = pick(rng, {1, 1, 2});
  p.layer =
      Conv2d{.out_channels = pick(rng, {7, 16, 42, 128}), .stride = {stride, stride}, .act = random_activation(rng)};
  p.affine = true;
  p.pre = pick(rng, {0, 1}) ? Activation::relu : Activation::none;
  return finish(rng, p, pick(rng, {1, 1, 1, 2}));
}

/// A convolution with a residual: bottlenecks, separable convolutions, sums and affine layers in front.
inline Case random_residual_conv(Rng& rng, Precision precision, TensorFormat layout) {
  Problem p = blank(rng, precision, layout, Step::Kind::conv);
  const int groups = pick(rng, {1, 1, 1, 1, 1, 2});
  p.input = {groups * pick(rng, {3, 16, 42, 64, 96}), pick(rng, {1, 8, 17}), pick(rng, {7, 8, 20})};
  const int k = pick(rng, {1, 1, 3}), stride = pick(rng, {1, 1, 1, 2});
  Conv2d conv{.out_channels = groups * pick(rng, {7, 16, 42, 64, 130}),
              .kernel = {k, k},
              .stride = {stride, stride},
              .padding = {k / 2, k / 2},
              .groups = groups};
  conv.act = pick(rng, {0, 0, 1}) ? random_activation(rng) : Activation(Activation::none);
  p.layer = conv;
  p.affine = k == 1 && groups == 1 && pick(rng, {0, 0, 0, 1});
  p.pre = static_cast<Activation::Kind>(pick(rng, {Activation::none, Activation::none, Activation::relu}));
  p.residual.emplace();
  p.post = random_activation(rng);
  return finish(rng, p, pick(rng, {1, 1, 1, 2}));
}

inline std::vector<TensorFormat> layouts(Precision p) {
  if (p == Precision::fp16) return {TensorFormat::nhwc};
  return {TensorFormat::nchw, TensorFormat::nhwc};
}

}  // namespace opsched
