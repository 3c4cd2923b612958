#include "core/runtime/program/order.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/program/program.hpp"

namespace opsched {

int Order::add(std::span<const int> after) {
  const int step = size();
  boost::dynamic_bitset<> row(step);
  for (int a : after) {
    if (a < 0 || a >= step) throw Error("step " + std::to_string(step) + " waits for step " + std::to_string(a));
    boost::dynamic_bitset<> earlier = ancestors_[a];
    earlier.resize(step);
    row |= earlier;
    row.set(a);
  }
  ancestors_.push_back(std::move(row));
  return step;
}

std::vector<int> Order::reduced(std::vector<int> after) const {
  std::ranges::sort(after);
  after.erase(std::unique(after.begin(), after.end()), after.end());
  std::vector<int> kept;
  for (int a : after)
    if (std::ranges::none_of(after, [&](int other) { return before(a, other); })) kept.push_back(a);
  return kept;
}

std::vector<std::vector<int>> direct_predecessors(const Program& program) {
  std::vector<std::vector<int>> direct;
  std::map<std::pair<int, int>, int> last;  // by stream
  for (const Step& step : program.steps) {
    const int index = static_cast<int>(direct.size());
    std::vector<int>& after = direct.emplace_back(step.waits);
    const auto [it, first] = last.try_emplace({step.device, step.stream}, index);
    if (!first) after.push_back(std::exchange(it->second, index));
  }
  return direct;
}

Order order_of(const Program& program) {
  Order order;
  for (const std::vector<int>& after : direct_predecessors(program)) order.add(after);
  return order;
}

Order set_waits(Program& program, std::span<const std::vector<int>> after, Waits waits) {
  Order order;
  std::map<std::pair<int, int>, int> last;                        // by stream
  std::vector<std::vector<int>> writers(program.buffers.size());  // by buffer
  for (Step& step : program.steps) {
    const int index = order.size();
    std::vector<int> all = after[index];
    const auto add_writers = [&](const View& view) {
      for (int w : writers[view.buffer])
        if (overlap(program.steps[w].output, view)) all.push_back(w);
    };
    for (const View& input : step.inputs) add_writers(input);
    if (step.residual) add_writers(*step.residual);
    const auto [it, first] = last.try_emplace({step.device, step.stream}, -1);
    const int predecessor = std::exchange(it->second, index);
    if (!first) all.push_back(predecessor);
    std::vector<int> needed = order.reduced(all);
    order.add(needed);
    if (waits == Waits::needed) {
      all = std::move(needed);
    } else {
      std::ranges::sort(all);
      all.erase(std::unique(all.begin(), all.end()), all.end());
    }
    std::erase(all, predecessor);
    step.waits = std::move(all);
    writers[step.output.buffer].push_back(index);
  }
  return order;
}

}  // namespace opsched
