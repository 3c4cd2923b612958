// A schedule lowered to steps, executed by both the CPU and the CUDA back end.
//
// Lowering decides which kernels run, where every tensor is stored and which steps wait for which, without knowing the
// hardware. A back end only maps steps to launches. Memory planning and synchronisation are therefore tested on the
// CPU
// with the same code that the GPU uses.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <variant>
#include <vector>

#include "core/round_up.hpp"
#include "core/runtime/program/waits.hpp"
#include "core/schedule/schedule.hpp"

namespace opsched {

/// A tensor in the arena of a device. A join is one buffer, and its producers write slices of it. For a split operator
/// it has all images and rows on every device that writes or reads some; only those are used.
struct Buffer {
  int device = 0;
  Shape shape;              ///< padding included
  int padding = 0;          ///< channels added at the end to fill a vector: finite, and met by weights of zero
  int images = 1;           ///< images of the batch in it; fewer if a step only needs a part for itself
  std::int64_t bytes = 0;   ///< all images, padded to the arena's alignment
  std::int64_t offset = 0;  ///< in the arena; buffers that may be live together never overlap
};

/// Channels [channel, channel + channels) of a region of a buffer.
struct View {
  int buffer = -1;
  int channel = 0, channels = 0;
  Region region{};
  bool operator==(const View&) const = default;
};

/// Do two views share any element?
inline bool overlap(const View& a, const View& b) {
  return a.buffer == b.buffer && a.channel < b.channel + b.channels && b.channel < a.channel + a.channels &&
         !common(a.region, b.region).empty();
}

/// Where the weights of a step come from.
struct WeightRef {
  OpId op = -1;  ///< of Graph::unsplit()
  int layer = 0;
  bool operator==(const WeightRef&) const = default;
};

using StepLayer = std::variant<std::monostate, Conv2d, Pool2d, Resize2d, DepthToSpace, PixelRow, Softmax, Normalize>;

/// A message queue from one device to another; messages stay in order. Devices are those of the whole program.
struct Channel {
  int from = -1, to = -1;
  int index = 0;  ///< of those between the two
  auto operator<=>(const Channel&) const = default;
};

/// For a send or receive.
struct Message {
  int process = -1;  ///< the process at the other end
  int id = -1;       ///< number known to both ends; from 0, ascending on a channel
  Channel channel{};
  bool operator==(const Message&) const = default;
};

/// One kernel (or a few): output = post(layer(pre(affine(sum of inputs))) + residual), or, for a pool with weights,
/// plus their bias.
struct Step {
  enum class Kind {
    conv,       ///< dense or grouped convolution, bias and activation included
    depthwise,  ///< convolution with one input and one output channel a group
    pool,
    gather,    ///< no layer: sums, activations, copies into a slice
    multiply,  ///< no layer: pre(product of inputs), those of one channel, row or column repeated
    resize,
    depth_to_space,  ///< this and the next three read and write exactly their channels, without padding
    pixel_row,
    softmax,
    normalize,
    transfer,  ///< one input, on another device; output on `device`
    send,      ///< of a part (partition.hpp): one input, no output
    receive,   ///< of a part: no input
  };
  Kind kind = Kind::gather;
  OpId op = -1;                       ///< the operator to which it belongs (the first of a merge)
  std::vector<View> inputs{};         ///< summed, all of the same shape; or multiplied
  std::optional<WeightRef> affine{};  ///< conv only: an affine layer applied to the sum; `pre` is its activation
  Activation pre = Activation::none;  ///< applied to the sum, or behind the affine layer
  StepLayer layer{};
  /// Several: a merged convolution, in channel order. Of a pool: those whose bias it adds for the convolution in front
  /// of it (late_pools.hpp).
  std::vector<WeightRef> weights{};
  bool bias = true;  ///< conv only: does it add its bias, or does a pool behind it?
  View output{};
  std::optional<View> residual{};      ///< conv only: added behind the layer's activation; as large as the output
  Activation post = Activation::none;  ///< applied to the sum with the residual, or with the bias of a pool
  int device = 0, stream = 0;
  std::vector<int> waits{};  ///< steps that must end before it starts, in addition to its predecessor on the stream
  int priority = 0;          ///< as in the schedule; 0 for transfers
  bool concurrent = false;   ///< other kernels may run on the device at the same time, and it should leave them room
  Message message{};
};

/// Does it only move a tensor, without a kernel?
inline bool moves_only(Step::Kind kind) {
  return kind == Step::Kind::transfer || kind == Step::Kind::send || kind == Step::Kind::receive;
}

struct Program {
  std::vector<Buffer> buffers;
  std::vector<Step> steps;  ///< in the order in which they are launched
  std::vector<View> inputs,
      outputs;  ///< as Graph::inputs(), Graph::outputs(), without padding; inputs live on their input_device().
                ///< Code that fills an input must set its buffer's padding to zero.
  std::vector<std::int64_t> arena_bytes;  ///< by device
  std::vector<int> streams;               ///< streams used, by device
};

/// What the kernels of a back end can fuse; lowering adds gather steps for the rest.
struct Fusion {
  bool conv_sum = false;  ///< conv reads a sum of inputs
  bool conv_pre = false;  ///< conv applies an activation to its input
  bool depthwise_sum = true, depthwise_pre = true;
  bool pool_sum = false, pool_pre = false;
  bool conv_act = false;       ///< conv ends in any activation; in relu it always can
  bool conv_residual = false;  ///< conv adds a residual, and applies an activation to that sum
  bool pool_bias = false;      ///< an average adds a bias, then applies no activation or ReLU
  bool conv_affine = false;    ///< a pointwise conv does the affine layer before it as it reads; needs conv_pre
};

/// Whether steps of the program's longest chain (in steps, over streams and waits) leave room for kernels that may run
/// at the same time, as all other steps do, or only have to be fast themselves.
enum class LongestChain { shares, comes_first };

struct LoweringOptions {
  int element_bytes = 4;
  Fusion fusion{};
  Waits waits = Waits::needed;
  std::int64_t alignment = 256;  ///< of buffers; slices lie where their channels put them
  /// Pad buffers to a multiple of this many channels, unless a join or input prevents it. Weights and biases of the
  /// added channels are zero, so nothing depends on them and kernels need not know about them. Activations may turn
  /// the zeros into other numbers.
  int vector_channels = 1;
  LongestChain longest_chain = LongestChain::shares;
  /// A step that writes at least so many elements fills a device by itself. So it need not leave room for others, and a
  /// convolution may wait for its residual although nothing else makes it.
  std::int64_t fills_from = std::numeric_limits<std::int64_t>::max();
};

/// `channels` rounded up to a multiple of `vector`.
constexpr int padded_channels(int channels, int vector) { return round_up(channels, vector); }

/// The shape of one image of a view.
inline Shape shape_of(const Program& program, const View& view) {
  return {view.channels, view.region.rows.size(), program.buffers[view.buffer].shape.w};
}

/// All of a buffer's images and rows.
inline Region all_of(const Buffer& buffer) { return {{0, buffer.images}, {0, buffer.shape.h}}; }

/// Lowers a schedule (validated here; `graph` with or without its splits). Operators of steps are those of the
/// scheduled graph, and weights those of the unsplit graph. Every graph input and output keeps its buffer for the
/// whole run. A merge makes the copies that its readers need in its own stage.
Program lower(const Graph& graph, const Schedule& schedule, const LoweringOptions& options);

/// Number of elements that a step writes.
inline std::int64_t elements_written(const Program& program, const Step& step) {
  return shape_of(program, step.output).size() * step.output.region.images.size();
}

/// Bytes that the program's transfers move in a run, with elements of this size.
std::int64_t transfer_bytes(const Program& program, int element_bytes);

/// Number of step pairs where one waits for the other, not counting those that follow each other on a stream.
int wait_count(const Program& program);

/// Lowers `stages`, executed in sequence with barriers on one device, `replicas` times; used to measure them. Inputs
/// from outside a stage come from separate buffers, so any stages can be combined. `merges`: operators that a schedule
/// merges elsewhere, so that what the stages read from them has the layout of a merged convolution (a join then copies
/// what such a merge would have copied).
Program lower_stages(const Graph& graph, std::span<const Stage> stages, int replicas, const LoweringOptions& options,
                     std::span<const Group> merges = {});

}  // namespace opsched
