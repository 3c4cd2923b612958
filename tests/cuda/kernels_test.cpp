// Every kernel that the library may choose, against plain loops in double precision: random shapes,
// strides, paddings, slices and sums, in every precision.
#include <map>

#include "core/error.hpp"
#include "core/runtime/cuda/cudnn_graph.hpp"
#include "core/runtime/cuda/kernel_sources.hpp"
#include "tests/cuda/kernel_cases.hpp"

namespace opsched {
namespace {

class Kernels : public OnGpu, public testing::WithParamInterface<Precision> {};

/// Every kernel of our own for this case; returns how many there were.
int check_native(const Case& c) {
  const Loaded loaded(c);
  const auto names = list_native(c.problem);
  for (const std::string& name : names)
    EXPECT_LT(loaded.run(*build_native(c.problem, name)), tolerance(c.problem.precision))
        << name << ": " << c.problem.key();
  return static_cast<int>(names.size());
}

TEST_P(Kernels, DepthwiseMatchesTheDefinition) {
  Rng rng(1);
  int kernels = 0;
  for (Layout layout : layouts(GetParam()))
    for (int i = 0; i < cases(40); ++i) kernels += check_native(random_depthwise(rng, GetParam(), layout));
  EXPECT_GT(kernels, cases(40) * 2);
}

TEST_P(Kernels, PoolsMatchTheDefinition) {
  Rng rng(2);
  for (Layout layout : layouts(GetParam()))
    for (int i = 0; i < cases(40); ++i) check_native(random_pool(rng, GetParam(), layout));
}

TEST_P(Kernels, GathersMatchTheDefinition) {
  Rng rng(3);
  for (Layout layout : layouts(GetParam()))
    for (int i = 0; i < cases(40); ++i) check_native(random_gather(rng, GetParam(), layout));
}

TEST_P(Kernels, ConvolutionsMatchTheDefinition) {
  Rng rng(4);
  const auto site = std::make_shared<KernelSite>(0);
  const cudnn::Handle builder;
  std::map<std::string, int> right;  // kernels by source
  for (Layout layout : layouts(GetParam()))
    for (int i = 0; i < 8; ++i) {
      const Case c = random_conv(rng, GetParam(), layout);
      const Loaded loaded(c);
      int usable = 0;
      std::map<std::string, int> tried;
      for (const std::string& name : list_kernels(c.problem, site, builder)) {
        const std::string source = name.substr(0, name.rfind('/'));
        if (++tried[source] > 3) continue;  // enough of a kind
        std::unique_ptr<Kernel> kernel;
        try {
          kernel = build_kernel(c.problem, name, site, builder);
        } catch (const Error&) {
          continue;  // a library may refuse what its heuristics propose
        }
        const double error = loaded.run(*kernel);
        // A library's kernel may be too coarse (the tuner drops it); ours may not.
        const bool library = name.find("cudnn/") != std::string::npos;
        if (!library) {
          EXPECT_LT(error, tolerance(GetParam())) << name << ": " << c.problem.key();
        }
        if (error < tolerance(GetParam()))
          ++usable, ++right[source.substr(0, source.find('/', source.find("cudnn/") + 6))];
      }
      EXPECT_GT(usable, 0) << c.problem.key();
    }
  for (const auto& [source, count] : right) RecordProperty(source, count);
}

INSTANTIATE_TEST_SUITE_P(, Kernels, testing::Values(Precision::fp32, Precision::tf32, Precision::fp16),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace opsched
