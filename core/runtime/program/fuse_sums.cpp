#include "core/runtime/program/fuse_sums.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "core/runtime/program/view_uses.hpp"

namespace opsched {
namespace {

class SumFusion {
 public:
  SumFusion(Program& program, const Order& order, std::span<const View> kept, std::int64_t waits_from)
      : program_(program),
        order_(order),
        kept_(kept),
        waits_from_(waits_from),
        convs_(program.steps.size()),
        is_removed_(program.steps.size()) {
    for (int s = 0; s < order.size(); ++s) {
      const Step& step = program.steps[s];
      if (step.kind == Step::Kind::gather && step.inputs.size() == 2) fuse(s);
    }
  }

  bool any() const {
    return std::ranges::any_of(convs_, [](const std::vector<int>& convs) { return !convs.empty(); });
  }

  /// Removes the steps that convolutions do wholly. Those that they do partly still follow them.
  void remove(std::vector<std::vector<int>>& after) {
    const std::vector<std::vector<int>> instead = replacements(after);
    std::vector<int> index(program_.steps.size(), -1);
    int kept = 0;
    for (int s = 0; s < static_cast<int>(program_.steps.size()); ++s) {
      if (is_removed_[s]) continue;
      std::vector<int> all;
      for (int c : convs_[s]) all.push_back(index[c]);
      for (int a : after[s])
        if (is_removed_[a])
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
    remove_unused_buffers(program_);
  }

 private:
  /// By removed step: the steps that stand for it and for all before it on its stream. They are also added to `after`
  /// of the next step that remains on the stream.
  std::vector<std::vector<int>> replacements(std::vector<std::vector<int>>& after) const {
    std::vector<std::vector<int>> instead(program_.steps.size());
    std::map<std::pair<int, int>, int> last;  // by stream
    for (int s = 0; s < static_cast<int>(program_.steps.size()); ++s) {
      const Step& step = program_.steps[s];
      const auto [it, first] = last.try_emplace({step.device, step.stream}, s);
      const int before = first ? -1 : std::exchange(it->second, s);
      if (is_removed_[s]) {
        instead[s] = convs_[s];
        if (before >= 0 && !is_removed_[before]) instead[s].push_back(before);
      }
      if (before < 0 || !is_removed_[before]) continue;
      std::vector<int>& more = is_removed_[s] ? instead[s] : after[s];
      more.insert(more.end(), instead[before].begin(), instead[before].end());
    }
    return instead;
  }

  /// Steps that write anything of a view.
  std::vector<int> writers(const View& view) const {
    std::vector<int> steps;
    for (int s = 0; s < order_.size(); ++s)
      if (!is_removed_[s] && overlap(program_.steps[s].output, view)) steps.push_back(s);
    return steps;
  }

  /// Can this convolution write to `view` only, or, if it pads its output, can it do so without the padding?
  bool fits(const Step& conv, const View& view) const {
    const View& out = conv.output;
    if (out.region != view.region || out.channel < view.channel) return false;
    const int end = view.channel + view.channels, more = out.channel + out.channels - end;
    const Buffer& buffer = program_.buffers[out.buffer];
    return more <= 0 || (std::get<Conv2d>(conv.layer).groups == 1 && end >= buffer.shape.c - buffer.padding);
  }

  /// Channels [begin, end) of a sum, and the convolution that can compute them.
  struct Piece {
    int begin, end;
    int conv, summand;
  };

  /// The convolutions that can add the other summand to what they write, in the order of their channels.
  std::vector<Piece> pieces_of(int sum) const {
    std::vector<Piece> pieces;
    for (const int summand : {0, 1}) {
      const View &own = program_.steps[sum].inputs[summand], &other = program_.steps[sum].inputs[1 - summand];
      for (int c : writers(own)) {
        const Step& conv = program_.steps[c];
        if (conv.kind != Step::Kind::conv || conv.residual || !fits(conv, own) ||
            !is_read_by_only(program_, sum, conv.output, kept_, is_removed_))
          continue;
        if (overlap(conv.output, other)) continue;
        const int begin = conv.output.channel - own.channel;
        const Piece piece{begin, std::min(begin + conv.output.channels, own.channels), c, summand};
        const std::vector<int> others = writers(slice(other, piece));
        if (std::ranges::all_of(others, [&](int o) { return may_follow(c, o); })) pieces.push_back(piece);
      }
    }
    std::ranges::sort(pieces, {}, &Piece::begin);
    return pieces;
  }

  /// May the convolution read what the other step writes? Steps only wait for earlier ones.
  bool may_follow(int conv, int other) const {
    return order_.before(other, conv) ||
           (other < conv && elements_written(program_, program_.steps[conv]) >= waits_from_);
  }

  static View slice(const View& view, const Piece& piece) {
    return {view.buffer, view.channel + piece.begin, piece.end - piece.begin, view.region};
  }

  /// The convolutions take channels at the beginning and end of the sum, up to the first that none of them can take.
  /// So at most one step remains of it.
  void fuse(int sum) {
    std::vector<Piece> pieces = pieces_of(sum);
    Step& gather = program_.steps[sum];
    int begin = 0, end = gather.output.channels;
    for (const Piece& piece : pieces)
      if (piece.begin == begin) begin = piece.end;
    for (auto piece = pieces.rbegin(); piece != pieces.rend() && end > begin; ++piece)
      if (piece->end == end) end = piece->begin;
    std::erase_if(pieces, [&](const Piece& piece) { return piece.begin >= begin && piece.end <= end; });
    for (const Piece& piece : pieces) {
      Step& conv = program_.steps[piece.conv];
      std::get<Conv2d>(conv.layer).out_channels = piece.end - piece.begin;
      conv.residual = slice(gather.inputs[1 - piece.summand], piece);
      conv.post = gather.pre;
      conv.output = slice(gather.output, piece);
      convs_[sum].push_back(piece.conv);
    }
    is_removed_[sum] = begin == end;
    const Piece rest{begin, end, sum, 0};
    for (View* view : {&gather.inputs[0], &gather.inputs[1], &gather.output}) *view = slice(*view, rest);
  }

  Program& program_;
  const Order& order_;
  std::span<const View> kept_;
  std::int64_t waits_from_;
  std::vector<std::vector<int>> convs_;  ///< by step: what does its work, or some of it
  std::vector<bool> is_removed_;
};

}  // namespace

bool fuse_sums(Program& program, std::vector<std::vector<int>>& after, const Order& order, std::span<const View> kept,
               std::int64_t waits_from) {
  SumFusion fusion(program, order, kept, waits_from);
  if (!fusion.any()) return false;
  fusion.remove(after);
  return true;
}

}  // namespace opsched
