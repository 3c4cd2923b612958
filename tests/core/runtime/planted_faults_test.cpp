// Faults planted into correct programs: each is found by the checks of the program, or changes its outputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/program/arena.hpp"
#include "core/runtime/program/verify.hpp"
#include "tests/support/random_cnn.hpp"

namespace opsched {
namespace {

using test::Random;

constexpr std::uint64_t kSeeds = 60;
constexpr int kFaultsASeed = 6;
constexpr int kWidth = 8;  // with this many channels, some are always alive

enum class Found { by_check, by_numbers, harmless };

/// A program and its outputs for some inputs.
class Planted {
 public:
  explicit Planted(std::uint64_t seed)
      : graph_(test::RandomCnn(seed, kWidth).draw(1 + seed % 3)),
        seed_(seed),
        program_(lower(graph_, test::random_schedule(graph_, 1, seed % 2 ? Mode::barrier : Mode::dataflow, seed), {})) {
    for (OpId op : graph_.inputs()) inputs_.push_back(random_tensor(graph_.batch(), graph_.op(op).output, seed));
    expected_ = reference_outputs(graph_, inputs_, seed);
  }

  const Program& program() const { return program_; }

  Found find(const Program& faulty) const {
    try {
      verify_order(faulty);
      verify_arena(faulty);
    } catch (const Error&) {
      return Found::by_check;
    }
    const std::vector<Tensor> outputs = make_cpu_executor(graph_, faulty, seed_)->run(inputs_);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (!(relative_error(outputs[i], expected_[i]) < 1e-5)) return Found::by_numbers;
    return Found::harmless;
  }

 private:
  Graph graph_;
  std::uint64_t seed_;
  Program program_;
  std::vector<Tensor> inputs_, expected_;
};

/// How often faults were found, and by what.
struct Tally {
  int by_check = 0, by_numbers = 0, harmless = 0;
  void add(Found found) {
    by_check += found == Found::by_check;
    by_numbers += found == Found::by_numbers;
    harmless += found == Found::harmless;
  }
};

using Plant = std::function<std::optional<Program>(const Program&, Random&)>;

/// Plants some faults into the programs of all seeds.
Tally planted(const Plant& plant) {
  Tally tally;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Planted planted(seed);
    Random random(seed);
    EXPECT_EQ(planted.find(planted.program()), Found::harmless) << "seed " << seed;
    for (int i = 0; i < kFaultsASeed; ++i)
      if (const std::optional<Program> faulty = plant(planted.program(), random)) tally.add(planted.find(*faulty));
  }
  return tally;
}

/// A random step that satisfies `wanted`; nullptr if there is none.
Step* pick(Program& program, Random& random, const std::function<bool(const Step&)>& wanted) {
  std::vector<Step*> steps;
  for (Step& step : program.steps)
    if (wanted(step)) steps.push_back(&step);
  return steps.empty() ? nullptr : random.pick(steps);
}

/// Plants faults into steps that satisfy `wanted`.
Tally planted_in_steps(const std::function<bool(const Step&)>& wanted,
                       const std::function<void(Step&, Random&)>& spoil) {
  return planted([&](const Program& program, Random& random) -> std::optional<Program> {
    Program faulty = program;
    Step* const step = pick(faulty, random, wanted);
    if (!step) return std::nullopt;
    spoil(*step, random);
    return faulty;
  });
}

template <class T>
void erase_one(std::vector<T>& list, Random& random) {
  list.erase(list.begin() + random.below(static_cast<int>(list.size())));
}

TEST(PlantedFaults, AReadThatTheMemoryPlanMissesIsFound) {
  // Memory is planned without one reader of a buffer, so it may be reused before that reader has read.
  const Tally tally = planted([](const Program& program, Random& random) -> std::optional<Program> {
    Program faulty = program;
    Step* const step = pick(faulty, random, [](const Step& s) { return s.kind != Step::Kind::transfer; });
    const std::vector<View> inputs = step->inputs;
    step->inputs.clear();
    plan_arena(faulty);
    step->inputs = inputs;
    return faulty;
  });
  EXPECT_EQ(tally.by_numbers, 0);  // the checks let no program pass that computes wrong outputs
  EXPECT_GT(tally.by_check, 60);
}

TEST(PlantedFaults, ABufferInTheMemoryOfAnotherIsFound) {
  const Tally tally = planted([](const Program& program, Random& random) -> std::optional<Program> {
    Program faulty = program;
    Buffer& one = faulty.buffers[random.below(static_cast<int>(faulty.buffers.size()))];
    const Buffer& other = random.pick(faulty.buffers);
    if (one.offset == other.offset) return std::nullopt;
    one.offset = other.offset;
    faulty.arena_bytes[0] = std::max(faulty.arena_bytes[0], one.offset + one.bytes);
    return faulty;
  });
  EXPECT_EQ(tally.by_numbers, 0);
  EXPECT_GT(tally.by_check, 100);
}

TEST(PlantedFaults, ADroppedWaitIsFound) {
  const Tally tally = planted_in_steps([](const Step& s) { return !s.waits.empty(); },
                                       [](Step& s, Random& random) { erase_one(s.waits, random); });
  // A barrier may order more than the data require; the test NoWaitCanBeDropped (program_test.cpp) covers these.
  EXPECT_EQ(tally.by_numbers, 0);
  EXPECT_GT(tally.by_check, 100);
}

TEST(PlantedFaults, ALostSummandIsFound) {
  const Tally tally = planted_in_steps([](const Step& s) { return s.inputs.size() > 1; },
                                       [](Step& s, Random& random) { erase_one(s.inputs, random); });
  EXPECT_GT(tally.by_numbers, 100);
  EXPECT_EQ(tally.harmless, 0);
}

TEST(PlantedFaults, ASliceThatIsReadElsewhereIsFound) {
  const Tally tally = planted([](const Program& program, Random& random) -> std::optional<Program> {
    Program faulty = program;
    const auto is_slice = [&](const View& v) { return v.channels < program.buffers[v.buffer].shape.c; };
    Step* const step = pick(faulty, random, [&](const Step& s) { return std::ranges::any_of(s.inputs, is_slice); });
    if (!step) return std::nullopt;
    View& view = *std::ranges::find_if(step->inputs, is_slice);
    const int places = program.buffers[view.buffer].shape.c - view.channels;
    view.channel = (view.channel + 1 + random.below(places)) % (places + 1);
    return faulty;
  });
  EXPECT_GT(tally.by_numbers, 60);
  EXPECT_EQ(tally.harmless, 0);
}

/// Only slices written by convolutions: two copies may copy the same data.
TEST(PlantedFaults, SwappedSlicesOfAJoinAreFound) {
  const Tally tally = planted([](const Program& program, Random& random) -> std::optional<Program> {
    Program faulty = program;
    std::vector<std::pair<Step*, Step*>> pairs;
    for (Step& a : faulty.steps)
      for (Step& b : faulty.steps)
        if (a.kind == Step::Kind::conv && b.kind == Step::Kind::conv && a.output.buffer == b.output.buffer &&
            a.output.channels == b.output.channels && a.output.channel < b.output.channel)
          pairs.emplace_back(&a, &b);
    if (pairs.empty()) return std::nullopt;
    const auto [a, b] = random.pick(pairs);
    std::swap(a->output, b->output);
    return faulty;
  });
  EXPECT_GT(tally.by_numbers + tally.by_check, 60);
  EXPECT_EQ(tally.harmless, 0);
}

}  // namespace
}  // namespace opsched
