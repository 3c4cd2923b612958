#include "schedulers/ios/count.hpp"

#include <algorithm>
#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <chrono>

#include "schedulers/ios/explore.hpp"

namespace opsched {
namespace {

using boost::multiprecision::cpp_int;

/// Counts paths from the whole part to every state, in as many 64-bit limbs as can be needed: a schedule gives each of
/// n operators one of n stages and one of two strategies.
class PathCounter {
 public:
  explicit PathCounter(int operators)
      : limbs_((static_cast<std::size_t>(operators) * std::bit_width(2u * static_cast<unsigned>(operators)) + 63) / 64),
        paths_(2 * limbs_) {
    paths_[kWhole * limbs_] = 1;
  }

  void state(std::uint32_t id) { from_ = id * limbs_; }
  void transition(std::uint32_t to, std::uint32_t stage, Strategy strategy, int groups) {
    ++transitions;
    stages = std::max(stages, std::int64_t{stage} + 1);
    if (strategy == Strategy::concurrent && groups > width) width = groups;
    const std::size_t at = to * limbs_;
    if (at >= paths_.size()) paths_.resize(at + limbs_);
    unsigned carry = 0;
    for (std::size_t i = 0; i < limbs_; ++i) {
      const std::uint64_t sum = paths_[at + i] + carry;
      const std::uint64_t total = sum + paths_[from_ + i];
      carry = (sum < carry) + (total < sum);
      paths_[at + i] = total;
    }
  }
  template <class Words>
  void stage(const Words&, std::uint32_t, Strategy) {}

  std::int64_t states() const { return static_cast<std::int64_t>(paths_.size() / limbs_) - 1; }
  cpp_int schedules() const {
    cpp_int number;
    import_bits(number, paths_.begin() + kNothing * limbs_, paths_.begin() + (kNothing + 1) * limbs_, 64, false);
    return number;
  }

  std::int64_t transitions = 0, stages = 0;
  int width = 0;

 private:
  std::size_t limbs_, from_ = 0;
  std::vector<std::uint64_t> paths_;
};

}  // namespace

IosCounts count_graph(const Graph& graph, const IosOptions& options) {
  check(options);
  const auto start = std::chrono::steady_clock::now();
  IosCounts counts;
  counts.total.block = "total";
  cpp_int product = 1;
  for (const IosPart& part : ios_parts(graph, options.max_part_size)) {
    if (options.poll) options.poll();
    PathCounter counter(part.size());
    explore_part(part, options, counter);
    const cpp_int schedules = counter.schedules();
    product *= schedules;
    counts.parts.push_back({part.block, part.index, part.size(), counter.width, counter.states(), counter.transitions,
                            schedules.str(), counter.stages});
    IosCount& total = counts.total;
    total.operators += part.size();
    total.width = std::max(total.width, counter.width);
    total.states += counter.states();
    total.transitions += counter.transitions;
    total.stages += counter.stages;
  }
  counts.total.schedules = product.str();
  counts.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return counts;
}

}  // namespace opsched
