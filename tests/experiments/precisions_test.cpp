// The precisions in which commands measure.
#include <gtest/gtest.h>

#include "experiments/bench/cases.hpp"

namespace opsched {
namespace {

TEST(Precisions, AreThoseOfOtherSoftwareByDefault) {
  const auto measured = [](std::vector<std::string> names) {
    std::vector<Precision> found;
    for (const bench::Case& c :
         bench::make_cases({.networks = {"squeezenet"}, .schedulers = {"dataflow"}, .precisions = std::move(names)}))
      found.push_back(c.precision);
    return found;
  };
  EXPECT_EQ(measured({}), (std::vector{Precision::fp32, Precision::tf32, Precision::fp16}));
  EXPECT_EQ(measured({"tf32x3", "fp32"}), (std::vector{Precision::tf32x3, Precision::fp32}));
}

}  // namespace
}  // namespace opsched
