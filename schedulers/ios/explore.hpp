// Visits every state and transition of the IOS search once.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "schedulers/ios/endings.hpp"

namespace opsched {

/// Throws Error with the number of states of the part.
[[noreturn]] void too_wide(const IosPart& part, const IosOptions& options, const std::string& what);
/// Throws the same Error immediately if a quick count of the states already exceeds the bound.
void check_width(const IosPart& part, const IosOptions& options);

/// Numbers of the first two states: the empty one, and the whole part.
inline constexpr std::uint32_t kNothing = 0, kWhole = 1;

/// Number of transitions looked up together, so that their memory is prefetched.
inline constexpr std::size_t kTogether = 32;

inline constexpr std::int64_t kPollTransitions = 1 << 20;

/// Largest states first, so that every state that leads to a state is expanded before it. `sink` is told
///   state(s)                  a state is entered; the transitions that follow are its own
///   transition(to, stage, strategy, groups)   to the state without the stage
/// States and stages are numbered in the order in which they appear. `stages(set, number)` is told
/// every distinct stage in the end, by strategy.
template <class Bits, class Sink>
void explore(const IosPart& part, const IosOptions& options, Sink& sink) {
  const int n = part.size();
  Endings<Bits> endings(part, options);
  SetTable<Bits> states, concurrent, merged;
  std::uint32_t state_count = 2, stage_count = 0;
  std::int64_t transitions = 0;
  // States that have not been expanded, by size; one bucket per size.
  std::vector<std::vector<std::pair<Bits, std::uint32_t>>> waiting(n + 1);
  Bits whole(n);
  for (int v = 0; v < n; ++v) whole.set(v);
  states.add(Bits(n), 0, kNothing);
  states.add(whole, endings.hash().of(whole), kWhole);
  waiting[n].emplace_back(whole, kWhole);
  struct Found {
    Bits ending, rest;
    std::uint64_t ending_hash, rest_hash;
    Strategy strategy;
    int groups;
  };
  std::vector<Found> found;
  std::int64_t polled = 0;
  const auto number_found = [&] {
    if (options.poll && transitions > polled + kPollTransitions) {
      polled = transitions;
      options.poll();
    }
    for (const Found& f : found) {
      const std::uint32_t to = states.add(f.rest, f.rest_hash, state_count);
      if (to == state_count) {
        if (++state_count > options.max_states + 1) too_wide(part, options, "states");
        waiting[f.rest.count()].emplace_back(f.rest, to);
      }
      const std::uint32_t stage =
          (f.strategy == Strategy::concurrent ? concurrent : merged).add(f.ending, f.ending_hash, stage_count);
      if (stage == stage_count) ++stage_count;
      sink.transition(to, stage, f.strategy, f.groups);
    }
    found.clear();
  };
  for (int size = n; size > 0; --size) {
    for (const auto& [state, id] : waiting[size]) {
      const std::uint64_t hash = endings.hash().of(state);
      sink.state(id);
      endings.each(state,
                   [&, &state = state](const Bits& ending, std::uint64_t ending_hash, Strategy strategy, int groups) {
                     if (++transitions > options.max_transitions) too_wide(part, options, "transitions");
                     found.push_back({ending, state - ending, ending_hash, hash ^ ending_hash, strategy, groups});
                     states.prefetch(hash ^ ending_hash);
                     (strategy == Strategy::concurrent ? concurrent : merged).prefetch(ending_hash);
                     if (found.size() == kTogether) number_found();
                   });
      number_found();
    }
    waiting[size] = {};
  }
  concurrent.each([&](const Bits& set, std::uint32_t stage) { sink.stage(set.words(), stage, Strategy::concurrent); });
  merged.each([&](const Bits& set, std::uint32_t stage) { sink.stage(set.words(), stage, Strategy::merge); });
}

/// explore with the smallest sufficient set type.
template <class Sink>
void explore_part(const IosPart& part, const IosOptions& options, Sink& sink) {
  check_width(part, options);
  if (part.size() <= 64)
    explore<Bits64>(part, options, sink);
  else if (part.size() <= 128)
    explore<Bits128>(part, options, sink);
  else
    explore<BitsAny>(part, options, sink);
}

}  // namespace opsched
