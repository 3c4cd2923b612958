#include "schedulers/ios_space.hpp"

#include <algorithm>
#include <limits>

#include "schedulers/ios_explore.hpp"

namespace opsched {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

/// The sink of explore().
class SpaceBuilder {
 public:
  explicit SpaceBuilder(IosSpace& space) : space_(space) {}

  void state(std::uint32_t id) { space_.order_.push_back({id, space_.transitions_.size()}); }
  void transition(std::uint32_t to, std::uint32_t stage, Strategy, int) { space_.transitions_.push_back({to, stage}); }
  template <class Words>
  void stage(const Words& words, std::uint32_t id, Strategy strategy) {
    if (id >= space_.strategies_.size()) {
      space_.strategies_.resize(id + 1);
      space_.sets_.resize((id + 1) * words.size());
    }
    space_.strategies_[id] = strategy;
    std::ranges::copy(words, space_.sets_.begin() + static_cast<std::ptrdiff_t>(id * words.size()));
  }

 private:
  IosSpace& space_;
};

IosSpace::IosSpace(IosPart part, const IosOptions& options) : part_(std::move(part)) {
  SpaceBuilder builder(*this);
  explore_part(part_, options, builder);
  words_ = sets_.size() / strategies_.size();
}

std::vector<int> IosSpace::vertices(int stage) const {
  std::vector<int> list;
  each_vertex(stage, [&](int v) { list.push_back(v); });
  return list;
}

std::vector<double> IosSpace::solve(std::span<const double> ms, std::vector<std::size_t>* choice) const {
  // Smallest states first: what remains of a state has been solved before it.
  std::vector<double> cost(order_.size() + 1);
  if (choice) choice->resize(cost.size());
  std::size_t end = transitions_.size();
  for (auto state = order_.rbegin(); state != order_.rend(); ++state) {
    double least = kInfinity;
    std::size_t last = state->first;
    for (std::size_t t = state->first; t < end; ++t) {
      const double sum = cost[transitions_[t].to] + ms[transitions_[t].stage];
      if (sum < least) {
        least = sum;
        last = t;
      }
    }
    cost[state->id] = least;
    if (choice) (*choice)[state->id] = last;
    end = state->first;
  }
  return cost;
}

IosSpace::Path IosSpace::best(std::span<const double> ms) const {
  std::vector<std::size_t> choice;
  Path path{.ms = solve(ms, &choice)[kWhole], .stages = {}};
  if (path.ms == kInfinity) return path;
  for (std::uint32_t at = kWhole; at != kNothing; at = transitions_[choice[at]].to)
    path.stages.push_back(static_cast<int>(transitions_[choice[at]].stage));
  std::ranges::reverse(path.stages);
  return path;
}

std::vector<double> IosSpace::best_through(std::span<const double> ms) const {
  const std::vector<double> before = solve(ms, nullptr);
  std::vector<double> after(before.size(), kInfinity), through(strategies_.size(), kInfinity);
  after[kWhole] = 0;
  for (std::size_t s = 0; s < order_.size(); ++s) {
    const std::size_t end = s + 1 < order_.size() ? order_[s + 1].first : transitions_.size();
    for (std::size_t t = order_[s].first; t < end; ++t) {
      const auto [to, stage] = transitions_[t];
      const double rest = after[order_[s].id] + ms[stage];
      after[to] = std::min(after[to], rest);
      through[stage] = std::min(through[stage], before[to] + rest);
    }
  }
  return through;
}

}  // namespace opsched
