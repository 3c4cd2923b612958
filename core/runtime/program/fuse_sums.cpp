#include "core/runtime/program/fuse_sums.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace opsched {
namespace {

/// The part of `view` at the place that `part` has in `whole`.
View same_part(const View& view, const View& whole, const View& part) {
  return {view.buffer, view.channel + part.channel - whole.channel, part.channels, view.region};
}

class SumFusion {
 public:
  SumFusion(Program& program, const Order& order, std::span<const View> kept)
      : program_(program), order_(order), kept_(kept), convs_(program.steps.size()) {
    for (int s = 0; s < order.size(); ++s) {
      const Step& step = program.steps[s];
      if (step.kind != Step::Kind::gather || step.inputs.size() != 2) continue;
      if (!fuse(s, 1)) fuse(s, 0);
    }
  }

  bool any() const {
    return std::ranges::any_of(convs_, [](const std::vector<int>& convs) { return !convs.empty(); });
  }

  /// Removes the steps that became part of convolutions.
  void remove(std::vector<std::vector<int>>& after) {
    const std::vector<std::vector<int>> instead = replacements(after);
    std::vector<int> index(program_.steps.size(), -1);
    int kept = 0;
    for (int s = 0; s < static_cast<int>(program_.steps.size()); ++s) {
      if (is_removed(s)) continue;
      std::vector<int> all;
      for (int a : after[s])
        if (is_removed(a))
          for (int other : instead[a]) all.push_back(index[other]);
        else
          all.push_back(index[a]);
      index[s] = kept;
      after[kept] = std::move(all);
      if (kept != s) program_.steps[kept] = std::move(program_.steps[s]);
      ++kept;
    }
    program_.steps.resize(kept);
    after.resize(kept);
    remove_unused_buffers();
  }

 private:
  bool is_removed(int step) const { return !convs_[step].empty(); }

  /// By removed step: the steps that stand for it and for all before it on its stream. They are also added to `after`
  /// of the next step that remains on the stream.
  std::vector<std::vector<int>> replacements(std::vector<std::vector<int>>& after) const {
    std::vector<std::vector<int>> instead(program_.steps.size());
    std::map<std::pair<int, int>, int> last;  // by stream
    for (int s = 0; s < static_cast<int>(program_.steps.size()); ++s) {
      const Step& step = program_.steps[s];
      const auto [it, first] = last.try_emplace({step.device, step.stream}, s);
      const int before = first ? -1 : std::exchange(it->second, s);
      if (is_removed(s)) {
        instead[s] = convs_[s];
        if (before >= 0 && !is_removed(before)) instead[s].push_back(before);
      }
      if (before < 0 || !is_removed(before)) continue;
      std::vector<int>& more = is_removed(s) ? instead[s] : after[s];
      more.insert(more.end(), instead[before].begin(), instead[before].end());
    }
    return instead;
  }

  void remove_unused_buffers() {
    std::vector<int> index(program_.buffers.size(), -1);
    const auto use = [&](View& view) { index[view.buffer] = 0; };
    for_each_view(use);
    int kept = 0;
    for (std::size_t b = 0; b < index.size(); ++b)
      if (index[b] == 0) {
        program_.buffers[kept] = program_.buffers[b];
        index[b] = kept++;
      }
    program_.buffers.resize(kept);
    for_each_view([&](View& view) { view.buffer = index[view.buffer]; });
  }

  template <class F>
  void for_each_view(const F& f) {
    for (Step& step : program_.steps) {
      for (View& input : step.inputs) f(input);
      if (step.residual) f(*step.residual);
      f(step.output);
    }
    for (View& view : program_.inputs) f(view);
    for (View& view : program_.outputs) f(view);
  }

  /// Steps that write anything of a view.
  std::vector<int> writers(const View& view) const {
    std::vector<int> steps;
    for (int s = 0; s < order_.size(); ++s)
      if (!is_removed(s) && overlap(program_.steps[s].output, view)) steps.push_back(s);
    return steps;
  }

  /// Does nothing read any of this view, except the step `reader`?
  bool is_for(int reader, const View& view) const {
    const auto touches = [&](const View& other) { return overlap(view, other); };
    if (std::ranges::any_of(program_.outputs, touches) || std::ranges::any_of(kept_, touches)) return false;
    for (int s = 0; s < order_.size(); ++s) {
      const Step& step = program_.steps[s];
      if (s == reader || is_removed(s)) continue;
      if (std::ranges::any_of(step.inputs, touches) || (step.residual && touches(*step.residual))) return false;
    }
    return true;
  }

  /// Can this convolution write to `view` only, or, if it pads its output, can it do so without the padding?
  bool fits(const Step& conv, const View& view) const {
    const View& out = conv.output;
    if (out.region != view.region || out.channel < view.channel) return false;
    const int end = view.channel + view.channels, more = out.channel + out.channels - end;
    const Buffer& buffer = program_.buffers[out.buffer];
    return more <= 0 || (std::get<Conv2d>(conv.layer).groups == 1 && end >= buffer.shape.c - buffer.padding);
  }

  /// The convolutions that can add the other summand to summand `which` of a sum, in the order of their channels; empty
  /// if some of that summand comes from elsewhere.
  std::vector<int> takers(int sum, int which) const {
    const View& own = program_.steps[sum].inputs[which];
    const std::vector<int> others = writers(program_.steps[sum].inputs[1 - which]);
    std::vector<int> convs = writers(own);
    for (int c : convs) {
      const Step& conv = program_.steps[c];
      const bool can = conv.kind == Step::Kind::conv && !conv.residual && order_.before(c, sum) && fits(conv, own) &&
                       is_for(sum, conv.output) &&
                       std::ranges::all_of(others, [&](int other) { return order_.before(other, c); });
      if (!can) return {};
    }
    const auto channel = [&](int c) { return program_.steps[c].output.channel; };
    std::ranges::sort(convs, {}, channel);
    int next = own.channel;
    for (int c : convs) {
      if (channel(c) != next) return {};
      next += program_.steps[c].output.channels;
    }
    return next >= own.channel + own.channels ? convs : std::vector<int>{};
  }

  bool fuse(int sum, int which) {
    const std::vector<int> convs = takers(sum, which);
    const Step& gather = program_.steps[sum];
    const View own = gather.inputs[which], other = gather.inputs[1 - which];
    for (int c : convs) {
      Step& conv = program_.steps[c];
      View part = conv.output;
      part.channels = std::min(part.channels, own.channel + own.channels - part.channel);
      std::get<Conv2d>(conv.layer).out_channels = part.channels;
      conv.residual = same_part(other, own, part);
      conv.post = gather.pre;
      conv.output = same_part(gather.output, own, part);
    }
    convs_[sum] = convs;
    return !convs.empty();
  }

  Program& program_;
  const Order& order_;
  std::span<const View> kept_;
  std::vector<std::vector<int>> convs_;  ///< by step: what does its work; empty: it remains
};

}  // namespace

bool fuse_sums(Program& program, std::vector<std::vector<int>>& after, const Order& order, std::span<const View> kept) {
  SumFusion fusion(program, order, kept);
  if (!fusion.any()) return false;
  fusion.remove(after);
  return true;
}

}  // namespace opsched
