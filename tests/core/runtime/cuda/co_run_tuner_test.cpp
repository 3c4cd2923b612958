// Choices of kernels with their reasons: the file that keeps them, and whole schedules on the GPU.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/cost/profile/profile.hpp"
#include "core/error.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "core/runtime/cuda/library/kernel_library.hpp"
#include "core/runtime/cuda/library/tuning_cache.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched {
namespace {

class KernelChoices : public testing::Test {
 protected:
  KernelChoices()
      : path_((std::filesystem::temp_directory_path() / ("opsched_company_" + std::to_string(getpid()))).string()) {
    std::filesystem::remove(path_);
  }
  ~KernelChoices() override { std::filesystem::remove(path_); }

  std::string path_;
};

TunedKernel plain(const std::string& kernel) {
  TunedKernel choice;
  choice.kernel = kernel;
  choice.alone = {{kernel, 0.01}, {"other", 0.0125}, {"small", 0.5, /*for_company=*/true}};
  return choice;
}

TunedKernel refined() {
  TunedKernel choice = plain("fast");
  choice.kernel = "other";
  choice.instead_of = "fast";
  choice.company = "net/dataflow/batch:1";
  choice.before_ms = 0.134, choice.after_ms = 0.132;
  choice.tried["net/dataflow/batch:1"] = {"fast", "other"};
  return choice;
}

TEST_F(KernelChoices, AreKeptWithTheirReasons) {
  ChoiceFile file(path_, "GPU");
  file.set("a", plain("fast"));
  file.set("b", refined());
  file.save();
  ChoiceFile again(path_, "GPU");
  EXPECT_EQ(again.find("a")->kernel, "fast");
  EXPECT_EQ(again.find("a")->alone, plain("fast").alone);
  EXPECT_FALSE(again.find("a")->refined());
  const TunedKernel* b = again.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->kernel, "other");
  EXPECT_EQ(b->instead_of, "fast");
  EXPECT_EQ(b->company, refined().company);
  EXPECT_EQ(b->after_ms, 0.132);
  EXPECT_EQ(b->tried, refined().tried);
  EXPECT_EQ(ChoiceFile(path_, "another GPU").find("a"), nullptr);
}

TEST_F(KernelChoices, HoldWhatIsWorthATryInCompany) {
  Tuning tuning{.problem = "p",
                .candidates = {{"own", 0.010, 0, ""},
                               {"close", 0.019, 0, ""},
                               {"far", 0.021, 0, ""},
                               {"cudnn/fused/1@66", 0.030, 0, ""},
                               {"cudnn/fused/1@33", 0.060, 0, ""},
                               {"cudnn/bare/1@33", 0.070, 0, ""},
                               {"broken@33", 0, 0, "it cannot"}}};
  const TunedKernel choice = choice_of(tuning);
  EXPECT_EQ(choice.kernel, "own");
  EXPECT_EQ(
      choice.alone,
      (std::vector<KernelTime>{
          {"own", 0.010}, {"close", 0.019}, {"cudnn/fused/1@66", 0.030, true}, {"cudnn/fused/1@33", 0.060, true}}));
}

TEST_F(KernelChoices, OfOthersAreNotOverwritten) {
  ChoiceFile one(path_, "GPU");
  one.set("a", plain("fast"));
  one.save();
  ChoiceFile two(path_, "GPU");
  two.set("a", refined());
  two.save();
  one.set("b", plain("fast"));  // knows nothing of the new "a"
  one.save();
  EXPECT_EQ(ChoiceFile(path_, "GPU").find("a")->kernel, "other");
}

TEST_F(KernelChoices, MarkChangesWithRefinedKernelsOnly) {
  ChoiceFile file(path_, "GPU");
  EXPECT_EQ(file.refinement_mark(), "");
  file.set("a", plain("fast"));
  EXPECT_EQ(file.refinement_mark(), "");
  file.set("b", refined());
  const std::string mark = file.refinement_mark();
  EXPECT_NE(mark, "");
  file.set("c", plain("fast"));
  EXPECT_EQ(file.refinement_mark(), mark);
  file.set("c", refined());
  EXPECT_NE(file.refinement_mark(), mark);
}

TEST_F(KernelChoices, OnAGpuRunInSchedulesAndAreRemembered) {
  if (cuda_devices().empty()) GTEST_SKIP() << "no GPU";
  const Graph graph = make_network("squeezenet");
  CudaOptions options;
  options.precision = Precision::fp16;
  options.cache_file = path_;
  std::string problem, kernel;
  {
    CudaRuntime runtime(options);
    DeviceFacts facts;
    facts.name = runtime.device().name;
    Profile profile(facts, options.precision);
    const auto cost = runtime.make_cost(graph, profile);
    const Schedule schedule = make_schedule("wavefront", {.cost = *cost, .devices = 1, .options = {}, .progress = {}});
    const auto company = runtime.make_company({{graph, schedule}});
    int launches = 0;
    for (const PosedProblem& p : company->problems()) {
      launches += p.uses;
      ASSERT_FALSE(p.alone.empty()) << p.problem;
      EXPECT_EQ(p.alone.front().kernel, p.chosen) << p.problem;
      for (const KernelTime& k : p.alone)
        if (k.kernel != p.chosen) problem = p.problem, kernel = k.kernel;
    }
    EXPECT_GE(launches, 30);
    ASSERT_FALSE(kernel.empty()) << "no problem has two kernels";
    const KernelChange change{problem, kernel};
    const KernelComparison comparison = company->compare({&change, 1}, 4);
    EXPECT_GT(comparison.before, 0);
    EXPECT_NEAR(comparison.after / comparison.before, 1, 0.5);
    const KernelChange unknown{problem, "no such kernel"};
    EXPECT_THROW(company->compare({&unknown, 1}, 4), Error);
    company->choose(problem, kernel, comparison);
    company->keep_tried(problem, {kernel});
    std::vector<Tensor> inputs{random_tensor(1, graph.op(graph.inputs().front()).output, 3)};
    const auto executor = runtime.make_executor(graph, schedule, 1);
    EXPECT_LT(relative_error(executor->run(inputs).front(), reference_outputs(graph, inputs, 1).front()), 1e-2);
  }
  CudaRuntime again(options);
  EXPECT_NE(again.kernels_mark(), std::to_string(kernels_version()));
  const ChoiceFile file(path_, again.device().name);
  EXPECT_EQ(file.find(problem)->kernel, kernel);
  EXPECT_EQ(file.find(problem)->tried.size(), 1u);
}

}  // namespace
}  // namespace opsched
