// What decides a latency, as text: the key under which measurements are kept.
//
// Names, ids and the order of groups do not matter, so equal structures of different blocks, networks
// and runs share one key. The precision is not part of it: a profile holds one precision.
//
//   operator  CxHxW[(terms)][:layer]...   192x35x35:c64r   64x28x28(32*3+32/1):r:c64k3p1g64:c128
//     terms   channels[*values][/slices] joined by '+'; left out for one whole value
//     layer   c conv, m max pool, a average pool (n: padding not counted), g global average pool,
//             r relu, t tanh; k kernel, s stride, p padding (3 or 1x7; left out: 1, 1, 0), g groups,
//             u a pool's size rounded up, d dilation, e more padding at the end (1 or -1x0), z resized to
//             (zl linearly), q depth to space (block; Q: phases last; p, e left out at the edges),
//             xSIZExINNER softmax, vGROUPS normalised per pixel (V: per image), ~NAME~ or ~NAME(a;b)~ any other
//             activation; a conv ends in r, t or ~NAME~ if that activation is fused
//     product (x32+32hw) instead of (32+32); h, w: the term is repeated along height, width
//   stage     bBATCH op op | op ...       groups separated by '|', operators in their order
//             bBATCH merge op op          one merged convolution (of a single one: as if concurrent);
//                                         op@c: its output lies in a concatenation beside the other outputs,
//                                         op@copy: it is copied into one, op@HASH or op@c,HASH: others, of these
//                                         signatures, read it where it is (merge_copies.hpp)
//             op#IMAGES: so many images of the batch only
//   wiring    op@ref,ref,...              one reference a value: '.' read by nobody else in the stage,
//             a letter: the same value is read elsewhere in the stage, a number: output of that
//             operator of the group; left out where it would be all '.'; NUMBERk: a summand, or an average
//             before a pointwise convolution, that is also read outside the stage, so that no convolution can write
//             the sum instead (fuse_sums.hpp), or come before the average (late_pools.hpp)
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/schedule/merge_copies.hpp"
#include "core/schedule/schedule.hpp"

namespace opsched {

/// Signature of a single operator, without batch and wiring.
std::string operator_signature(const Graph& graph, OpId id);
/// If it had these layers.
std::string operator_signature(const Graph& graph, OpId id, const std::vector<Layer>& layers);

/// Key of the stage that contains only this operator, without wiring.
std::string solo_key(const std::string& signature, int batch);

/// Makes the keys of the stages of one graph. Copies the data it needs.
class StageSigner {
 public:
  /// `marks_kept`: with the mark `k` in the wiring, as kernels need it that add residuals.
  explicit StageSigner(const Graph& graph, bool marks_kept = true);

  /// Key of a stage. Throws Error if it is empty, or if an operator reads one of another group, because such groups
  /// cannot run concurrently.
  std::string stage(const Stage& stage) const;
  /// Key of the stage that contains only this operator, under which its solo latency is stored.
  const std::string& solo(OpId op) const { return solo_[op]; }

 private:
  using ReadWhat = std::tuple<OpId, int, int, int, int>;
  /// What an operator reads as one value.
  struct Read {
    std::vector<OpId> from;  ///< operators that compute it
    ReadWhat what;           ///< equal for the same channels, images and rows
  };

  std::vector<std::vector<std::vector<Read>>> reads_;  ///< by operator and term
  std::vector<JoinSlot> slots_;
  std::vector<std::vector<OpId>> succs_;
  std::vector<bool> is_average_, is_pointwise_;
  bool marks_kept_;
  std::vector<std::string> signatures_, solo_;
  std::vector<int> images_;
  std::vector<std::string> readers_;  ///< by operator: hash of its readers if it becomes part of a merge
};

/// The words of a stage key. Views of its text.
struct StageWords {
  struct Op {
    std::string_view signature;  ///< an operator_signature, not checked
    int images;                  ///< number of images that it computes: `batch`, or fewer
    std::string_view wiring;     ///< references separated by commas
  };
  Strategy strategy = Strategy::concurrent;
  int batch = 1;
  std::vector<Op> ops;
  std::vector<std::vector<int>> groups;  ///< indices into ops
};

/// Throws Error if the text is not a stage key. Faster than parse_stage_key, because operators are not parsed.
StageWords split_stage_key(std::string_view key);

/// A stage parsed from its key. Operators have no names, and their values refer to nothing (-1) and begin at channel
/// 0.
struct SignedStage {
  Strategy strategy = Strategy::concurrent;
  int batch = 1;
  std::vector<Operator> ops;
  std::vector<int> images;                     ///< number of images that each of ops computes: `batch`, or fewer
  std::vector<std::vector<int>> groups;        ///< indices into ops
  std::vector<std::string> signatures;         ///< operator_signature of each of ops
  std::vector<std::vector<std::string>> refs;  ///< wiring of each of ops; empty: none
};

/// Throws Error if the text is not a stage key.
SignedStage parse_stage_key(const std::string& key);
/// The operator of an operator_signature. Throws Error if the text is not one.
Operator parse_operator_signature(const std::string& signature);

/// Hash of a graph's structure and batch without names; 16 hex digits. Splits do not count: they belong to schedules.
/// A moved ReLU counts where the network has it: a network has one fingerprint, and its schedules are exchangeable.
std::string fingerprint(const Graph& graph);
/// Hash of what a schedule makes a device do: splits, mode, placement, order, streams, without names.
std::string fingerprint(const Schedule& schedule);

}  // namespace opsched
