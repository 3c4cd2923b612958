// Programs divided among processes, without running any.
#include "core/runtime/program/partition.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/error.hpp"
#include "core/runtime/program/gpu_lowering.hpp"
#include "core/runtime/program/order.hpp"
#include "core/runtime/program/verify.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/random_splits.hpp"

namespace opsched {
namespace {

using test::random_schedule;
using test::RandomCnn;

struct Divided {
  Graph graph;
  int devices, processes;
  Schedule schedule;
  Program whole;
  std::vector<int> process_of;
  std::vector<ProgramPart> parts;

  explicit Divided(std::uint64_t seed)
      : graph(RandomCnn(seed).draw(1 + seed % 5)),
        devices(2 + static_cast<int>(seed / 3 % 3)),
        processes(2 + static_cast<int>(seed / 7) % (devices - 1)),
        schedule(random_schedule(graph, devices, seed % 2 ? Mode::barrier : Mode::dataflow, seed)),
        whole(lower(graph, schedule, {.vector_channels = seed % 4 < 2 ? 1 : 8})),
        process_of(spread_devices(devices, processes)),
        parts(partition(whole, process_of, processes)) {}
};

bool crosses(const Divided& d, const Step& step) {
  return step.kind == Step::Kind::transfer &&
         d.process_of[d.whole.buffers[step.inputs.front().buffer].device] != d.process_of[step.device];
}

TEST(Partition, EveryStepIsDoneOnceAndMessagesAtBothEnds) {
  int messages = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const Divided d(seed);
    std::map<int, std::vector<std::pair<int, Step::Kind>>> done;  // step -> processes
    std::multiset<int> inputs, outputs;
    for (int p = 0; p < d.processes; ++p) {
      const ProgramPart& part = d.parts[p];
      for (std::size_t s = 0; s < part.steps.size(); ++s)
        done[part.steps[s]].emplace_back(p, part.program.steps[s].kind);
      inputs.insert(part.inputs.begin(), part.inputs.end());
      outputs.insert(part.outputs.begin(), part.outputs.end());
      for (int device : part.devices) ASSERT_EQ(d.process_of[device], p);
    }
    ASSERT_EQ(inputs.size(), d.whole.inputs.size());
    ASSERT_EQ(outputs.size(), d.whole.outputs.size());
    for (int s = 0; s < static_cast<int>(d.whole.steps.size()); ++s) {
      const Step& step = d.whole.steps[s];
      const int to = d.process_of[step.device];
      if (!crosses(d, step)) {
        ASSERT_EQ(done[s], (std::vector{std::pair(to, step.kind)})) << "seed " << seed;
        continue;
      }
      ++messages;
      const int from = d.process_of[d.whole.buffers[step.inputs.front().buffer].device];
      const std::map<int, Step::Kind> ends(done[s].begin(), done[s].end());
      ASSERT_EQ(ends, (std::map<int, Step::Kind>{{from, Step::Kind::send}, {to, Step::Kind::receive}}));
    }
  }
  EXPECT_GT(messages, 300);
}

TEST(Partition, APartHoldsOrderAndMemoryByItself) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const Divided d(seed);
    const Order order = order_of(d.whole);
    for (const ProgramPart& part : d.parts) {
      ASSERT_NO_THROW(verify_order(part.program)) << "seed " << seed;
      ASSERT_NO_THROW(verify_arena(part.program)) << "seed " << seed;
      const Order local = order_of(part.program);
      for (int b = 0; b < local.size(); ++b)
        for (int a = 0; a < b; ++a)
          ASSERT_EQ(local.before(a, b), order.before(part.steps[a], part.steps[b])) << "seed " << seed;
    }
  }
}

TEST(Partition, MessagesNeverWaitInACircle) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) ASSERT_NO_THROW(verify_messages(Divided(seed).parts)) << seed;
}

TEST(Partition, FewChannelsOrderMoreAndHoldAsWell) {
  int shared = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const Divided d(seed);
    const std::vector<ProgramPart> parts = partition(d.whole, d.process_of, d.processes, 1);
    ASSERT_NO_THROW(verify_messages(parts)) << "seed " << seed;
    const Order order = order_of(d.whole);
    for (const ProgramPart& part : parts) {
      ASSERT_NO_THROW(verify_order(part.program)) << "seed " << seed;
      ASSERT_NO_THROW(verify_arena(part.program)) << "seed " << seed;
      const Order local = order_of(part.program);
      for (int b = 0; b < local.size(); ++b)
        for (int a = 0; a < b; ++a) {
          const bool before = order.before(part.steps[a], part.steps[b]);
          ASSERT_TRUE(!before || local.before(a, b)) << "seed " << seed;
          shared += local.before(a, b) && !before ? 1 : 0;
        }
      for (const Step& step : part.program.steps) ASSERT_EQ(step.message.channel.index, 0);
    }
  }
  EXPECT_GT(shared, 100);
}

std::string complaint(const std::vector<ProgramPart>& parts) {
  try {
    verify_messages(parts);
  } catch (const Error& e) {
    return e.what();
  }
  return "none";
}

/// Two devices in two processes, and all messages of the first seed that has some.
template <class Break>
void expect_complaints(const std::string& text, const Break& broken) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Divided d(seed);
    for (std::size_t p = 0; p < d.parts.size(); ++p)
      for (std::size_t s = 0; s < d.parts[p].steps.size(); ++s) {
        std::vector<ProgramPart> parts = d.parts;
        if (!broken(parts, p, s)) continue;
        ASSERT_NE(complaint(parts).find(text), std::string::npos) << "seed " << seed << ": " << complaint(parts);
        ++found;
      }
  }
  EXPECT_GT(found, 20);
}

TEST(Partition, AMessageWithoutAnotherEndIsFound) {
  expect_complaints("nobody sends", [](std::vector<ProgramPart>& parts, std::size_t p, std::size_t s) {
    Step& step = parts[p].program.steps[s];
    if (step.kind != Step::Kind::send) return false;
    step.kind = Step::Kind::gather;
    return true;
  });
  expect_complaints("nobody receives", [](std::vector<ProgramPart>& parts, std::size_t p, std::size_t s) {
    Step& step = parts[p].program.steps[s];
    if (step.kind != Step::Kind::receive) return false;
    step.kind = Step::Kind::gather;
    return true;
  });
  expect_complaints("another shape", [](std::vector<ProgramPart>& parts, std::size_t p, std::size_t s) {
    Step& step = parts[p].program.steps[s];
    if (step.kind != Step::Kind::receive) return false;
    ++step.output.channels;
    return true;
  });
}

TEST(Partition, OvertakingOnAChannelIsFound) {
  expect_complaints("on their channel", [](std::vector<ProgramPart>& parts, std::size_t p, std::size_t s) {
    std::vector<Step>& steps = parts[p].program.steps;
    if (steps[s].kind != Step::Kind::send) return false;
    for (std::size_t later = s + 1; later < steps.size(); ++later)
      if (steps[later].kind == Step::Kind::send && steps[later].message.channel == steps[s].message.channel) {
        steps[later].stream = 99;
        return true;
      }
    return false;
  });
}

TEST(Partition, ACircleIsFound) {
  // Before sending a message, a process waits for one that comes only after it.
  expect_complaints("wait for each other", [](std::vector<ProgramPart>& parts, std::size_t p, std::size_t s) {
    std::vector<Step>& steps = parts[p].program.steps;
    if (steps[s].kind != Step::Kind::send) return false;
    // What the other side receives and sends back, in order.
    const int id = steps[s].message.id;
    const ProgramPart& other = parts[steps[s].message.process];
    const Order there = order_of(other.program);
    for (int r = 0; r < there.size(); ++r)
      for (int back = r + 1; back < there.size(); ++back) {
        const Step &first = other.program.steps[r], &second = other.program.steps[back];
        if (first.kind != Step::Kind::receive || first.message.id != id || second.kind != Step::Kind::send) continue;
        if (second.message.process != static_cast<int>(p) || !there.before(r, back)) continue;
        for (std::size_t at = 0; at < steps.size(); ++at)
          if (steps[at].kind == Step::Kind::receive && steps[at].message.id == second.message.id) {
            steps[s].waits.push_back(static_cast<int>(at));
            return true;
          }
      }
    return false;
  });
}

TEST(Partition, DevicesAreSpreadEvenly) {
  EXPECT_EQ(spread_devices(2, 2), (std::vector{0, 1}));
  EXPECT_EQ(spread_devices(4, 2), (std::vector{0, 0, 1, 1}));
  EXPECT_EQ(spread_devices(5, 3), (std::vector{0, 0, 1, 1, 2}));
  EXPECT_EQ(spread_devices(3, 1), (std::vector{0, 0, 0}));
  EXPECT_THROW(spread_devices(2, 3), Error);
}

}  // namespace
}  // namespace opsched
