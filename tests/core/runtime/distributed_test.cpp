// Schedules executed by several processes, which are threads in these tests.
#include "core/runtime/distributed/distributed_executor.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/graph/early_relu.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/distributed/link_times.hpp"
#include "core/runtime/program/verify.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/every_layer.hpp"
#include "tests/support/random_cells.hpp"
#include "tests/support/random_cnn.hpp"
#include "tests/support/thread_group.hpp"

namespace opsched {
namespace {

using test::random_schedule;
using test::RandomCnn;
using test::ThreadGroups;

std::vector<Tensor> inputs_of(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (OpId id : graph.inputs()) inputs.push_back(random_tensor(graph.batch(), graph.op(id).output, 7 + inputs.size()));
  return inputs;
}

/// Process 0 runs `lead`; the others follow its orders.
void run_processes(int count, const std::function<void(ProcessGroup&, PartRuntime&)>& lead) {
  ThreadGroups(count).run([&](ProcessGroup& group) {
    const std::unique_ptr<PartRuntime> runtime = make_cpu_parts(group);
    if (group.leads()) {
      lead(group, *runtime);
      end_orders(group);
    } else {
      follow_orders(group, part_handlers(group, [&](const PartRequest&) -> PartRuntime& { return *runtime; }));
    }
  });
}

PartRequest request_of(const Graph& graph, const Schedule& schedule, int processes) {
  return {.back_end = "cpu",
          .graph = graph,
          .schedule = schedule,
          .seed = 3,
          .process_of = spread_devices(static_cast<int>(schedule.devices.size()), processes)};
}

void expect_equal(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].shape, b[i].shape);
    EXPECT_EQ(a[i].data, b[i].data);
  }
}

TEST(Distributed, ComputesWhatOneProcessComputes) {
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    const int devices = 2 + static_cast<int>(seed % 3), processes = 2 + static_cast<int>(seed / 3) % (devices - 1);
    const Graph graph = RandomCnn(seed).draw(2 + seed % 4);
    const Schedule schedule = random_schedule(graph, devices, seed % 2 ? Mode::barrier : Mode::dataflow, seed);
    const std::vector<Tensor> inputs = inputs_of(graph), expected = make_cpu_executor(graph, schedule, 3)->run(inputs);
    run_processes(processes, [&](ProcessGroup& group, PartRuntime& runtime) {
      const auto executor = make_distributed_executor(group, runtime, request_of(graph, schedule, processes));
      expect_equal(executor->run(inputs), expected);
      expect_equal(executor->run(inputs), expected);
    });
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

TEST(Distributed, SeveralSchedulesAreReadyAtOnce) {
  const Graph graph = RandomCnn(5).draw(4);
  const Schedule a = random_schedule(graph, 2, Mode::barrier, 1), b = random_schedule(graph, 3, Mode::dataflow, 2);
  const std::vector<Tensor> inputs = inputs_of(graph), expected = make_cpu_executor(graph, a, 3)->run(inputs);
  run_processes(2, [&](ProcessGroup& group, PartRuntime& runtime) {
    auto first = make_distributed_executor(group, runtime, request_of(graph, a, 2));
    const auto second = make_distributed_executor(group, runtime, request_of(graph, b, 2));
    for (int i = 0; i < 3; ++i) {
      expect_equal(first->run(inputs), expected);
      expect_equal(second->run(inputs), expected);
    }
    first.reset();
    expect_equal(second->run(inputs), expected);
  });
}

TEST(Distributed, WeightsOfAModelAndNamesOfItsOutputsGoAlong) {
  Graph graph = RandomCnn(11).draw(3);
  auto table = std::make_shared<WeightTable>();
  for (OpId op : graph.units())
    for (int layer = 0; layer < static_cast<int>(graph.op(op).layers.size()); ++layer)
      if (std::holds_alternative<Conv2d>(graph.op(op).layers[layer]))
        table->emplace(std::pair(op, layer), std::make_shared<ConvWeights>(make_weights(graph, op, layer, 99)));
  ASSERT_FALSE(table->empty());
  const Graph drawn = graph;
  graph.set_weights(table);
  const Schedule schedule = random_schedule(graph, 2, Mode::dataflow, 4);
  const PartRequest request = request_of(graph, schedule, 2), copy = part_request_from(to_bytes(request));
  EXPECT_EQ(copy.schedule, schedule);
  EXPECT_EQ(copy.graph.output_names(), graph.output_names());
  const std::vector<Tensor> inputs = inputs_of(graph), expected = make_cpu_executor(graph, schedule, 3)->run(inputs);
  expect_equal(make_cpu_executor(copy.graph, copy.schedule, 3)->run(inputs), expected);
  EXPECT_NE(make_cpu_executor(drawn, schedule, 3)->run(inputs).front().data, expected.front().data);
}

TEST(Distributed, MovedRelusGoAlong) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    const Graph network = test::RandomCells(seed).draw(12);
    const std::shared_ptr<const Graph> early = with_early_relu(network);
    const Schedule schedule = random_schedule(network, 2, Mode::dataflow, seed);
    const PartRequest copy = part_request_from(to_bytes(request_of(*early, schedule, 2)));
    EXPECT_EQ(copy.graph.relu_moves().early, early->relu_moves().early);
    EXPECT_EQ(copy.graph.relu_moves().relieved, early->relu_moves().relieved);
    const std::vector<Tensor> inputs = inputs_of(network);
    expect_equal(make_cpu_executor(copy.graph, copy.schedule, 3)->run(inputs),
                 make_cpu_executor(network, schedule, 3)->run(inputs));
  }
}

TEST(Distributed, RoundsAreTimedAndSayWhatClosingThemCosts) {
  const Graph graph = RandomCnn(2).draw(3);
  const Schedule schedule = random_schedule(graph, 2, Mode::barrier, 1);
  run_processes(2, [&](ProcessGroup& group, PartRuntime& runtime) {
    const auto executor = make_distributed_executor(group, runtime, request_of(graph, schedule, 2));
    const std::vector<double> ms = executor->sample(5);
    ASSERT_EQ(ms.size(), 5u);
    for (double m : ms) EXPECT_GT(m, 0);
    const Measurement latency = executor->measure({.min_runs = 5, .max_runs = 20, .max_seconds = 0.2});
    EXPECT_GE(latency.runs, 5);
    EXPECT_TRUE(test::contains(latency.note, "2 processes; of it ")) << latency.note;
  });
}

TEST(Distributed, TransfersOfOneTensorToAndFroAreAProgram) {
  for (const int count : {1, 2, 7}) {
    const Program program = lower({.from = 2, .to = 0, .bytes = 4000, .count = count}, 3, {});
    verify_arena(program);
    EXPECT_EQ(static_cast<int>(program.steps.size()), count);
    EXPECT_EQ(transfer_bytes(program, 4), 4000 * count);
    verify_messages(partition(program, std::vector{0, 1, 2}, 3));
    verify_messages(partition(program, std::vector{0, 0, 1}, 2));
  }
}

TEST(Distributed, LinksAreMeasuredByKindAndPriceSchedules) {
  run_processes(4, [](ProcessGroup& group, PartRuntime& runtime) {
    Profile profile({.name = "threads"}, Precision::fp32);
    const ProcessDevices devices{.process_of = spread_devices(8, 4), .host_of = {"a", "a", "b", "b"}};
    const LinkSizes sizes{.smallest = 4 << 10, .largest = 64 << 10};
    measure_links(group, runtime, devices, profile, sizes);
    EXPECT_EQ(profile.topology(), Topology(4, 2));
    EXPECT_TRUE(profile.transfers().empty());                  // nothing is measured within a process
    ASSERT_EQ(profile.transfers(LinkKind::nccl).size(), 12u);  // 0 to 2 and 4 to 6, three sizes, both ways
    ASSERT_EQ(profile.transfers(LinkKind::network).size(), 6u);
    for (const LinkKind kind : {LinkKind::nccl, LinkKind::network})
      for (const auto& [link, entry] : profile.transfers(kind)) {
        const auto [from, to, bytes] = link;
        EXPECT_GT(entry.ms, 0);
        EXPECT_DOUBLE_EQ(profile.transfer_ms(from, to, bytes), entry.ms);
      }
    EXPECT_GT(profile.transfer_ms(1, 7, 5000), 0);  // from other links of its kind

    int measured = 0;
    measure_links(group, runtime, devices, profile, sizes, [&](const std::string&) { ++measured; });
    EXPECT_EQ(measured, 0);
    measure_links(group, runtime, devices, profile, {.smallest = 4 << 10, .largest = 256 << 10},
                  [&](const std::string&) { ++measured; });
    EXPECT_EQ(measured, 3);
  });
}

/// A runtime that fails on one rank, while it prepares its part or when it runs.
class FailingParts final : public PartRuntime {
 public:
  FailingParts(ProcessGroup& group, int rank) : runtime_(make_cpu_parts(group)), fails_(group.rank() == rank) {}
  std::string name() const override { return "cpu"; }
  LoweringOptions lowering(const PartRequest& request) const override { return runtime_->lowering(request); }
  std::unique_ptr<Executor> make(const PartRequest& request, const ProgramPart& part) override {
    if (fails_) throw Error("there is too little memory");
    return runtime_->make(request, part);
  }
  bool& fails() { return fails_; }

 private:
  std::unique_ptr<PartRuntime> runtime_;
  bool fails_;
};

TEST(Distributed, WhatOneCannotMakeReadyIsAnErrorAndAllGoOn) {
  const Graph graph = RandomCnn(2).draw(3);
  const Schedule schedule = random_schedule(graph, 3, Mode::barrier, 1);
  const std::vector<Tensor> inputs = inputs_of(graph), expected = make_cpu_executor(graph, schedule, 3)->run(inputs);
  for (int failing : {0, 2}) {
    ThreadGroups(3).run([&](ProcessGroup& group) {
      FailingParts runtime(group, failing);
      if (!group.leads()) {
        int asked = 0;
        follow_orders(group, part_handlers(group, [&](const PartRequest&) -> PartRuntime& {
                        if (asked++ > 0) runtime.fails() = false;
                        return runtime;
                      }));
        return;
      }
      try {
        make_distributed_executor(group, runtime, request_of(graph, schedule, 3));
        ADD_FAILURE() << "no error";
      } catch (const Error& e) {
        EXPECT_STREQ(e.what(), failing == 0 ? "there is too little memory" : "rank 2: there is too little memory");
      }
      runtime.fails() = false;
      expect_equal(make_distributed_executor(group, runtime, request_of(graph, schedule, 3))->run(inputs), expected);
      end_orders(group);
    });
  }
}

TEST(Distributed, AProcessThatFailsIsNamed) {
  try {
    ThreadGroups(3).run([&](ProcessGroup& group) {
      if (group.rank() == 2) throw std::runtime_error("out of paper");
      group.barrier();
    });
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "rank 2: out of paper");
  }
}

TEST(Distributed, OrdersThatNobodyKnowsAreRefused) {
  EXPECT_THROW(ThreadGroups(2).run([&](ProcessGroup& group) {
    if (!group.leads()) return follow_orders(group, {});
    give_order(group, "dance");
    group.barrier();
  }),
               Error);
}

}  // namespace
}  // namespace opsched
