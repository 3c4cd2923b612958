// Converts units of work (an operator, or a merged convolution) into steps.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/runtime/program/memory_layout.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

/// Appends steps to a program. A root of the layout becomes a buffer when a step first uses it.
class ProgramBuilder {
 public:
  ProgramBuilder(const Graph& graph, const LoweringOptions& options) : graph_(graph), options_(options) {}

  /// Its steps have no waits yet.
  Program& program() { return program_; }
  /// The view of a place in the buffers at hand.
  View view(const Place& place);
  /// From here on roots become new buffers, except those already in `kept`.
  void use_buffers(std::map<int, int> kept) { buffers_ = std::move(kept), joined_.clear(), copied_.clear(); }
  int buffer_of(int root);
  void set_layout(const MemoryLayout& layout) { layout_ = &layout; }

  /// Appends the steps of one operator, or of merge `merge` if that is not negative. Each step also happens after the
  /// steps `after`. A join that costs nothing adds no step. A merge makes the copies that its readers on the device
  /// need (merge_copies.hpp), so they are part of its stage's latency.
  void add_unit(OpId op, int merge, int device, int stream, std::span<const int> after);
  /// Appends the transfer of an operator's output to a device.
  void add_transfer(OpId op, const Import& import, int from, int stream);
  /// Steps that wrote anything of this view.
  std::vector<int> writers(const View& view) const;
  /// Last step of a stream; -1: none yet.
  int last_step(int device, int stream) const;
  /// The program with waits and addresses; call it last. `kept`: views that are read where the program does not show
  /// it, besides its outputs.
  Program finish(std::span<const View> kept = {});

 private:
  /// The value between layers: `act` of `affine` (if any) of the sum of `views`, not yet computed.
  struct Flow {
    std::vector<View> views;
    Activation act = Activation::none;
    std::optional<WeightRef> affine{};
  };

  void add_step(Step step);
  /// `padding`: channels behind those of `shape`.
  int add_buffer(int device, Shape shape, int padding, int images);
  /// A view of all of a new buffer for what operator `op` puts there.
  View temporary(OpId op, const Shape& shape);
  /// A place, with its padding if it has any.
  View wide_view(const Place& place);
  Flow read_terms(OpId op, const View* target);
  void put_together(OpId op, const std::vector<std::vector<View>>& runs, const View& joined);
  bool is_copied(const View& from, const View& to) const;
  Flow multiply_terms(OpId op, const View* target);
  /// Layers from `first` on.
  void add_layers(OpId op, int first, int merge, Flow flow, const View& output);
  void add_copies(OpId op, int merge);
  bool fits(const Step& step, const Flow& flow) const;
  bool flows_on(const Operator& op, int layer, const Shape& shape, const Flow& flow) const;

  const Graph& graph_;
  LoweringOptions options_;
  const MemoryLayout* layout_ = nullptr;
  Program program_;
  std::vector<std::vector<int>> step_after_;               ///< what each step follows, besides what it reads
  std::map<int, int> buffers_;                             ///< root -> buffer
  std::map<int, std::vector<Region>> joined_;              ///< of concatenations: already put together, by buffer
  std::vector<std::pair<View, View>> copied_;              ///< by merges: from, to
  std::vector<std::vector<std::pair<View, int>>> writes_;  ///< of a buffer
  std::map<std::pair<int, int>, int> last_;                ///< (device, stream) -> last step
  int device_ = 0, stream_ = 0;                            ///< of the unit being added
  std::span<const int> after_;
};

}  // namespace opsched
