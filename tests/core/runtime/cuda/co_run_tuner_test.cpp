// Chosen kernels with the reasons for them: their file, and whole schedules on the GPU.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "core/cost/profile/profile.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/cuda/cuda_runtime.hpp"
#include "core/runtime/cuda/library/kernel_library.hpp"
#include "core/runtime/cuda/library/tuning_cache.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched {
namespace {

class TuningCaches : public testing::Test {
 protected:
  TuningCaches()
      : path_((std::filesystem::temp_directory_path() / ("opsched_tuning_" + std::to_string(getpid()))).string()) {
    std::filesystem::remove(path_);
  }
  ~TuningCaches() override { std::filesystem::remove(path_); }

  std::string path_;
};

TunedKernel plain(const std::string& kernel) {
  TunedKernel choice;
  choice.kernel = kernel;
  choice.alone = {{kernel, 0.01}, {"other", 0.0125}, {"small", 0.5, /*leaves_sms_free=*/true}};
  return choice;
}

TunedKernel refined() {
  TunedKernel choice = plain("fast");
  choice.kernel = "other";
  choice.instead_of = "fast";
  choice.co_run = "net/dataflow/batch:1";
  choice.before_ms = 0.134, choice.after_ms = 0.132;
  choice.tried["net/dataflow/batch:1"] = {"fast", "other"};
  return choice;
}

TEST_F(TuningCaches, AreKeptWithTheirReasons) {
  TuningCache file(path_, "GPU");
  file.set("a", plain("fast"));
  file.set("b", refined());
  file.save();
  TuningCache again(path_, "GPU");
  EXPECT_EQ(again.find("a")->kernel, "fast");
  EXPECT_EQ(again.find("a")->alone, plain("fast").alone);
  EXPECT_FALSE(again.find("a")->refined());
  const TunedKernel* b = again.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->kernel, "other");
  EXPECT_EQ(b->instead_of, "fast");
  EXPECT_EQ(b->co_run, refined().co_run);
  EXPECT_EQ(b->after_ms, 0.132);
  EXPECT_EQ(b->tried, refined().tried);
  EXPECT_EQ(TuningCache(path_, "another GPU").find("a"), nullptr);
}

TEST_F(TuningCaches, HoldWhatIsWorthATryBesideOthers) {
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

TEST_F(TuningCaches, OfOthersAreNotOverwritten) {
  TuningCache one(path_, "GPU");
  one.set("a", plain("fast"));
  one.save();
  TuningCache two(path_, "GPU");
  two.set("a", refined());
  two.save();
  one.set("b", plain("fast"));  // has no record of the new "a"
  one.save();
  EXPECT_EQ(TuningCache(path_, "GPU").find("a")->kernel, "other");
}

TEST_F(TuningCaches, ThatAreDamagedAreNamedAndMadeAnew) {
  for (const char* text : {"{", "[]", "{}", "", "\x00\xff",
                           R"({"format": "opsched kernel choices", "version": 10, "choices": {"GPU": {"a": 7}}})"}) {
    std::ofstream(path_) << text;
    std::vector<std::string> said;
    TuningCache cache(path_, "GPU", [&](const std::string& line) { said.push_back(line); });
    EXPECT_EQ(cache.find("a"), nullptr);
    cache.set("a", plain("fast"));
    cache.save();
    cache.save();
    EXPECT_LE(said.size(), 1u) << text;
    for (const std::string& line : said) EXPECT_NE(line.find(path_), std::string::npos) << line;
    TuningCache again(path_, "GPU", [](const std::string& line) { ADD_FAILURE() << line; });
    ASSERT_NE(again.find("a"), nullptr) << text;
  }
}

TEST_F(TuningCaches, OfAnotherKindAreNotOverwritten) {
  const std::string text = R"({"format": "a profile"})";
  std::ofstream(path_) << text;
  int warnings = 0;
  TuningCache cache(path_, "GPU", [&](const std::string&) { ++warnings; });
  cache.set("a", plain("fast"));
  cache.save();
  EXPECT_EQ(warnings, 1);
  EXPECT_NE(cache.find("a"), nullptr);
  EXPECT_EQ(read_file(path_), text);
}

TEST_F(TuningCaches, ThatCannotBeWrittenStopNobody) {
  std::ofstream(path_) << "no folder";
  std::vector<std::string> said;
  TuningCache cache(path_ + "/below/a/file.json", "GPU", [&](const std::string& line) { said.push_back(line); });
  for (const char* problem : {"a", "b"}) {
    cache.set(problem, plain("fast"));
    cache.save();
    EXPECT_NE(cache.find(problem), nullptr);
  }
  ASSERT_EQ(said.size(), 1u);
  EXPECT_NE(said.front().find(path_), std::string::npos) << said.front();
}

TEST_F(TuningCaches, TagChangesWithRefinedKernelsOnly) {
  TuningCache file(path_, "GPU");
  EXPECT_EQ(file.refinement_tag(), "");
  file.set("a", plain("fast"));
  EXPECT_EQ(file.refinement_tag(), "");
  file.set("b", refined());
  const std::string tag = file.refinement_tag();
  EXPECT_NE(tag, "");
  file.set("c", plain("fast"));
  EXPECT_EQ(file.refinement_tag(), tag);
  file.set("c", refined());
  EXPECT_NE(file.refinement_tag(), tag);
}

TEST_F(TuningCaches, OnAGpuRunInSchedulesAndAreRemembered) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
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
    const auto tuner = runtime.make_co_run_tuner({{graph, schedule}});
    int launches = 0;
    for (const PosedProblem& p : tuner->problems()) {
      launches += p.uses;
      ASSERT_FALSE(p.alone.empty()) << p.problem;
      EXPECT_EQ(p.alone.front().kernel, p.chosen) << p.problem;
      for (const KernelTime& k : p.alone)
        if (k.kernel != p.chosen) problem = p.problem, kernel = k.kernel;
    }
    EXPECT_GE(launches, 30);
    ASSERT_FALSE(kernel.empty()) << "no problem has two kernels";
    const KernelChange change{problem, kernel};
    const KernelComparison comparison = tuner->compare({&change, 1}, 4);
    EXPECT_GT(comparison.before, 0);
    EXPECT_NEAR(comparison.after / comparison.before, 1, 0.5);
    const KernelChange unknown{problem, "no such kernel"};
    EXPECT_THROW(tuner->compare({&unknown, 1}, 4), Error);
    tuner->choose(problem, kernel, comparison);
    tuner->remember_tried(problem, {kernel});
    std::vector<Tensor> inputs{random_tensor(1, graph.op(graph.inputs().front()).output, 3)};
    const auto executor = runtime.make_executor(graph, schedule, 1);
    EXPECT_LT(relative_error(executor->run(inputs).front(), reference_outputs(graph, inputs, 1).front()), 1e-2);
  }
  CudaRuntime again(options);
  EXPECT_NE(again.kernels_version_tag(), std::to_string(kernels_version()));
  const TuningCache file(path_, again.device().name);
  EXPECT_EQ(file.find(problem)->kernel, kernel);
  EXPECT_EQ(file.find(problem)->tried.size(), 1u);
}

/// Chosen launch styles are kept in the file, and run in later executors under their names.
TEST_F(TuningCaches, OnAGpuKeepLaunchStyles) {
  if (cuda_devices().usable.empty()) GTEST_SKIP() << "no GPU";
  const Graph graph = make_network("squeezenet");
  CudaOptions options;
  options.cache_file = path_;
  std::map<std::string, std::string> chosen;
  Schedule schedule;
  {
    CudaRuntime runtime(options);
    DeviceFacts facts;
    facts.name = runtime.device().name;
    Profile profile(facts, options.precision);
    const auto cost = runtime.make_cost(graph, profile);
    schedule = make_schedule("wavefront", {.cost = *cost, .devices = 1, .options = {}, .progress = {}});
    const auto tuner = runtime.make_co_run_tuner({{graph, schedule}});
    std::vector<KernelChange> changes;
    for (const PosedProblem& p : tuner->problems())
      for (const KernelTime& k : p.alone) {
        const std::vector<LaunchVariant> variants = tuner->launch_variants(k.kernel);
        if (variants.empty()) continue;
        changes.push_back({p.problem, variants[changes.size() % variants.size()].kernel});
        break;
      }
    ASSERT_GE(changes.size(), 3u);
    const std::vector<KernelComparison> each = tuner->compare_each(changes, 4);
    ASSERT_EQ(each.size(), 1u);
    EXPECT_GT(each.front().after, 0);
    for (const KernelChange& change : changes) {
      tuner->choose(change.problem, change.kernel, each.front());
      chosen[change.problem] = change.kernel;
    }
  }
  CudaRuntime again(options);
  const auto executor = again.make_executor(graph, schedule, 1);
  std::map<std::string, std::string> running;
  for (const KernelChoice& choice : executor->kernels()) running[choice.problem] = choice.kernel;
  for (const auto& [problem, kernel] : chosen) EXPECT_EQ(running[problem], kernel);
  const std::vector<Tensor> inputs{random_tensor(1, graph.op(graph.inputs().front()).output, 3)};
  EXPECT_LT(relative_error(executor->run(inputs).front(), reference_outputs(graph, inputs, 1).front()), 1e-4);
}

}  // namespace
}  // namespace opsched
