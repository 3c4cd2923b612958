// The switch for kernels that no GPU has run yet: off unless asked for, and nothing is mixed up.
#include "core/runtime/cuda/untried.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "core/runtime/cuda/choice_file.hpp"
#include "core/runtime/cuda/lowering.hpp"

namespace opsched {
namespace {

constexpr const char* kVariable = "OPSCHED_UNTRIED_KERNELS";

class UntriedKernels : public testing::Test {
 protected:
  UntriedKernels() {
    if (const char* text = std::getenv(kVariable)) before_ = text;
    unsetenv(kVariable);
  }
  ~UntriedKernels() override { before_.empty() ? unsetenv(kVariable) : setenv(kVariable, before_.c_str(), 1); }

 private:
  std::string before_;
};

TEST_F(UntriedKernels, AreOffUnlessAskedFor) {
  EXPECT_FALSE(untried_kernels());
  EXPECT_FALSE(lowering_for(Precision::fp16).fusion.separable);
  setenv(kVariable, "0", 1);
  EXPECT_FALSE(untried_kernels());
  setenv(kVariable, "1", 1);
  EXPECT_TRUE(untried_kernels());
  EXPECT_TRUE(lowering_for(Precision::fp16).fusion.separable);
  EXPECT_FALSE(lowering_for(Precision::fp32).fusion.separable);  // there is none
  setenv(kVariable, "yes", 1);
  EXPECT_THROW(untried_kernels(), Error);
}

TEST_F(UntriedKernels, AreKnownByName) {
  Problem problem;
  problem.layer = Conv2d{};
  EXPECT_TRUE(is_untried(problem, "patch/c32/r1/w4"));
  EXPECT_TRUE(is_untried(problem, "sum+patch/c32/r1/w4"));
  EXPECT_TRUE(is_untried(problem, "separable/p64/c64/s2"));
  EXPECT_FALSE(is_untried(problem, "cudnn/fused/38:2=1"));
  Pool2d pool;
  problem.layer = pool;
  EXPECT_FALSE(is_untried(problem, "pool/v4"));
  pool.type = PoolType::global_avg;
  problem.layer = pool;
  EXPECT_TRUE(is_untried(problem, "pool/v4"));
  EXPECT_FALSE(is_untried(problem, "pool/v1"));
}

TEST_F(UntriedKernels, HaveChoicesOfTheirOwn) {
  const auto path = (std::filesystem::temp_directory_path() / ("opsched_untried_" + std::to_string(getpid()))).string();
  const auto choose = [&](const std::string& kernel) {
    KernelChoice choice;
    choice.kernel = kernel;
    ChoiceFile file(path, "GPU");
    EXPECT_EQ(file.find("problem"), nullptr);
    file.set("problem", choice);
    file.save();
  };
  choose("tried");
  setenv(kVariable, "1", 1);
  choose("untried");
  EXPECT_EQ(ChoiceFile(path, "GPU").find("problem")->kernel, "untried");
  unsetenv(kVariable);
  EXPECT_EQ(ChoiceFile(path, "GPU").find("problem")->kernel, "tried");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace opsched
