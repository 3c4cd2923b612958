// The folders that the program uses by default.
#include "experiments/device/folders.hpp"

#include <gtest/gtest.h>

#include "core/cost/profile/profile.hpp"
#include "experiments/studies/scratch_folder.hpp"

namespace opsched {
namespace {

/// A results folder for H200s measured with these kernels, in one precision.
void measure(const std::string& results, const std::string& folder, Precision precision, const std::string& kernels) {
  Profile profile({.name = "NVIDIA H200", .kernels = kernels}, precision);
  profile.save(profile_file(results + "/" + folder, precision));
}

TEST(MeasuringFolder, IsTheDevicesWhileItsKernelsAreTheSame) {
  const ScratchFolder results("test");
  EXPECT_EQ(measuring_folder_name("h200", "12", results.path()), "h200");
  measure(results.path(), "h200", Precision::fp16, "12 tuned-3f2a");
  EXPECT_EQ(measuring_folder_name("h200", "12", results.path()), "h200");
}

TEST(MeasuringFolder, IsAnotherWhereAnyPrecisionIsOfOtherKernels) {
  for (Precision precision : kPrecisions) {
    const ScratchFolder results("test");
    measure(results.path(), "h200", precision, "9");
    EXPECT_EQ(measuring_folder_name("h200", "12", results.path()), "h200-kernels12");
    EXPECT_EQ(measuring_folder_name("h200-x2", "12", results.path()), "h200-x2");
  }
}

}  // namespace
}  // namespace opsched
