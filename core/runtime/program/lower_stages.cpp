#include <algorithm>
#include <optional>

#include "core/error.hpp"
#include "core/runtime/program/program_builder.hpp"

namespace opsched {
namespace {

/// Lowers one stage with the memory layout that it would have in a schedule of the whole graph on one device, so that
/// it makes the same copies.
class StageLowering {
 public:
  StageLowering(const Graph& graph, const Stage& stage, std::span<const Group> merges, int vector_channels,
                ProgramBuilder& builder)
      : graph_(graph), stage_(stage), builder_(builder), inside_(members()), merges_(merges.begin(), merges.end()) {
    if (stage.strategy == Strategy::merge) {
      merge_ = static_cast<int>(std::ranges::find(merges_, stage.groups.front()) - merges_.begin());
      if (merge_ == static_cast<int>(merges_.size())) merges_.push_back(stage.groups.front());
    }
    layout_.emplace(graph, std::vector<int>(graph.size(), 0), merges_, vector_channels);
    builder_.set_layout(*layout_);
    builder_.use_buffers({});
    // Inputs from outside keep their buffers across all replicas.
    std::vector<OpId> outside;
    for (const Group& group : stage.groups)
      for (OpId op : group)
        for (OpId p : graph.preds(op))
          if (!inside_[p]) outside.push_back(p);
    std::ranges::sort(outside);
    outside.erase(std::unique(outside.begin(), outside.end()), outside.end());
    for (OpId op : outside) {
      const Place place = layout_->output(op);
      builder_.program().inputs.push_back(builder_.view(place));
      kept_[place.root] = builder_.buffer_of(place.root);
    }
  }

  /// Appends the stage's steps, which all follow the last step of every stream so far.
  void add(int streams) {
    builder_.set_layout(*layout_);
    builder_.use_buffers(kept_);
    std::vector<int> after;
    for (int stream = 0; stream < streams; ++stream)
      if (const int last = builder_.last_step(0, stream); last >= 0) after.push_back(last);
    if (stage_.strategy == Strategy::merge) {
      builder_.add_unit(stage_.groups.front().front(), merge_, 0, 0, after);
      return;
    }
    for (std::size_t position = 0, left = 1; left > 0; ++position) {
      left = 0;
      for (std::size_t g = 0; g < stage_.groups.size(); ++g) {
        if (position >= stage_.groups[g].size()) continue;
        ++left;
        builder_.add_unit(stage_.groups[g][position], -1, 0, static_cast<int>(g), after);
      }
    }
  }

  /// The outputs that leave the stage, as the last add() wrote them.
  std::vector<View> outputs() const {
    std::vector<View> views;
    for (OpId op = 0; op < graph_.size(); ++op) {
      const auto succs = graph_.succs(op);
      if (inside_[op] && (succs.empty() || std::ranges::any_of(succs, [&](OpId s) { return !inside_[s]; })))
        views.push_back(builder_.view(layout_->output(op)));
    }
    return views;
  }

 private:
  std::vector<bool> members() const {
    std::vector<bool> inside(graph_.size(), false);
    if (stage_.strategy == Strategy::merge && (stage_.groups.size() != 1 || !can_merge(graph_, stage_.groups.front())))
      throw Error("lower_stages: a merge stage whose operators cannot be merged");
    for (const Group& group : stage_.groups)
      for (OpId op : group) {
        if (op < 0 || op >= graph_.size() || !graph_.op(op).is_unit() || inside[op])
          throw Error("lower_stages: operator " + std::to_string(op) + " is unknown, an input, or there twice");
        inside[op] = true;
      }
    std::vector<bool> done(graph_.size(), false);
    for (const Group& group : stage_.groups) {
      for (OpId op : group) {
        for (OpId p : graph_.preds(op))
          if (inside[p] && !done[p])
            throw Error("lower_stages: '" + graph_.op(op).name + "' does not run after '" + graph_.op(p).name +
                        "', which it reads");
        done[op] = true;
      }
      for (OpId op : group) done[op] = false;
    }
    return inside;
  }

  const Graph& graph_;
  const Stage& stage_;
  ProgramBuilder& builder_;
  std::vector<bool> inside_;
  std::vector<Group> merges_;
  int merge_ = -1;  ///< index of the stage in merges_; -1: not a merge
  std::optional<MemoryLayout> layout_;
  std::map<int, int> kept_;  ///< root -> buffer
};

}  // namespace

Program lower_stages(const Graph& graph, std::span<const Stage> stages, int replicas, const LoweringOptions& options,
                     std::span<const Group> merges) {
  ProgramBuilder builder(graph, options);
  Program& program = builder.program();
  program.arena_bytes = {0};
  program.streams = {0};
  std::vector<StageLowering> lowerings;
  lowerings.reserve(stages.size());
  for (const Stage& stage : stages) {
    lowerings.emplace_back(graph, stage, merges, options.vector_channels, builder);
    program.streams[0] = std::max(program.streams[0], static_cast<int>(stage.groups.size()));
  }
  std::vector<View> kept;  // all replicas do the same work, although only the last one's outputs are the program's
  for (int replica = 0; replica < replicas; ++replica)
    for (StageLowering& lowering : lowerings) {
      lowering.add(program.streams[0]);
      const std::vector<View> outputs = lowering.outputs();
      kept.insert(kept.end(), outputs.begin(), outputs.end());
      if (replica + 1 == replicas) program.outputs.insert(program.outputs.end(), outputs.begin(), outputs.end());
    }
  return builder.finish(kept);
}

}  // namespace opsched
