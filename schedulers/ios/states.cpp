// Counts the states of a part without enumerating them, for error messages.
#include <boost/multiprecision/cpp_int.hpp>
#include <map>
#include <optional>

#include "schedulers/ios/explore.hpp"

namespace opsched {
namespace {

using boost::multiprecision::cpp_int;

/// Counts the sets closed under predecessors, including the empty one: independent pieces multiply; otherwise a vertex
/// is either out (with its descendants) or in (with its ancestors).
class ClosedSets {
 public:
  ClosedSets(const IosPart& part, int budget) : budget_(budget), up_(part.size()), down_(part.size()) {
    const int n = part.size();
    for (int v = 0; v < n; ++v) {
      up_[v] = BitsAny(n);
      up_[v].set(v);
      for (int p : part.preds[v]) up_[v] |= up_[p];
    }
    for (int v = n - 1; v >= 0; --v) {
      down_[v] = BitsAny(n);
      down_[v].set(v);
      for (int s : part.succs[v]) down_[v] |= down_[s];
    }
    BitsAny all(n);
    for (int v = 0; v < n; ++v) all.set(v);
    states_ = count(all);
    --states_;
  }

  /// Number of states: all closed sets except the empty one.
  const cpp_int& states() const { return states_; }
  /// False if the budget ran out; the result is then a lower bound.
  bool exact() const { return budget_ > 0; }

 private:
  cpp_int count(BitsAny rest) {
    cpp_int product = 1;
    while (!rest.none()) {
      BitsAny piece = component(rest);
      rest -= piece;
      product *= count_connected(piece);
    }
    return product;
  }

  cpp_int count_connected(const BitsAny& piece) {
    if (piece.count() == 1) return 2;
    if (const auto it = known_.find(piece.words()); it != known_.end()) return it->second;
    if (budget_ <= 0 || --budget_ <= 0) return lower_bound(piece);
    // Branch on the vertex whose worse case leaves the fewest vertices.
    int pivot = -1, best = -1;
    piece.each([&](int v) {
      const int settled = std::min((up_[v] & piece).count(), (down_[v] & piece).count());
      const int both = (up_[v] & piece).count() + (down_[v] & piece).count();
      if (settled * piece.count() * 2 + both > best) {
        best = settled * piece.count() * 2 + both;
        pivot = v;
      }
    });
    cpp_int sum = count(piece - down_[pivot]);
    sum += count(piece - up_[pivot]);
    known_.emplace(piece.words(), sum);
    return sum;
  }

  /// Any subset of the sinks is closed, and a chain of sets leads to them.
  cpp_int lower_bound(const BitsAny& piece) const {
    int sinks = 0;
    piece.each([&](int v) { sinks += (down_[v] & piece).count() == 1; });
    cpp_int bound = 1;
    bound <<= sinks;
    bound += piece.count() - sinks;
    return bound;
  }

  BitsAny component(const BitsAny& rest) const {
    BitsAny reached = up_[rest.lowest()] & rest;
    for (int before = 0; before != reached.count();) {
      before = reached.count();
      BitsAny wider = reached;
      reached.each([&](int v) { wider |= (up_[v] | down_[v]) & rest; });
      reached = wider;
    }
    return reached;
  }

  int budget_;
  std::vector<BitsAny> up_, down_;
  std::map<std::vector<std::uint64_t>, cpp_int> known_;
  cpp_int states_;
};

std::string text(const ClosedSets& sets) { return (sets.exact() ? "" : "at least ") + sets.states().str(); }

[[noreturn]] void fail(const IosPart& part, const std::string& states, const std::string& why) {
  throw Error(part.name() + " is too wide to enumerate: its " + std::to_string(part.size()) + " operators have " +
              states + " states, " + why + "; split it into smaller parts (max-part-size)");
}

}  // namespace

std::string count_states(const IosPart& part) { return text(ClosedSets(part, 20'000)); }

void check_width(const IosPart& part, const IosOptions& options) {
  if (part.size() < 63 && (std::int64_t{1} << part.size()) - 1 <= options.max_states) return;
  const ClosedSets sets(part, 2'000);
  if (options.may_split && sets.states() > options.max_states) throw TooWide(part.name() + " is too wide");
  if (sets.states() > options.max_states)
    fail(part, sets.exact() ? text(sets) : count_states(part),
         "more than the limit of " + std::to_string(options.max_states));
}

void too_wide(const IosPart& part, const IosOptions& options, const std::string& what) {
  if (options.may_split) throw TooWide(part.name() + " is too wide");
  const bool states = what == "states";
  fail(part, count_states(part),
       "more than " + std::to_string(states ? options.max_states : options.max_transitions) + " " + what);
}

}  // namespace opsched
