// Launch styles of our convolutions: their names, the shared memory that limits crowding, and results on the GPU.
#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/round_up.hpp"
#include "core/runtime/cuda/kernels/launch_style.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"
#include "tests/core/runtime/cuda/kernel_cases.hpp"

namespace opsched {
namespace {

/// Blocks of this much dynamic shared memory that a multiprocessor holds.
std::size_t held(std::size_t bytes, const SharedMemory& gpu, std::size_t static_bytes) {
  return gpu.multiprocessor / (round_up(bytes + static_bytes, std::size_t{128}) + gpu.reserved);
}

TEST(LaunchStyles, LimitBlocksWithTheLeastSharedMemory) {
  constexpr std::size_t kKb = 1024;
  for (const SharedMemory& gpu : {SharedMemory{228 * kKb, kKb, 227 * kKb},  // sm_90
                                  SharedMemory{164 * kKb, kKb, 163 * kKb},  // sm_80
                                  SharedMemory{100 * kKb, kKb, 99 * kKb},   // sm_86, sm_89
                                  SharedMemory{64 * kKb, 0, 64 * kKb}})     // sm_75
    for (const std::size_t static_bytes : {0, 8, 2048})
      for (int most = 1; most <= 16; ++most) {
        const std::size_t bytes = shared_bytes_for_at_most(most, gpu, static_bytes);
        const std::string what = std::to_string(gpu.multiprocessor) + ", at most " + std::to_string(most);
        EXPECT_LE(bytes + static_bytes, gpu.block) << what;
        EXPECT_EQ(held(bytes, gpu, static_bytes), static_cast<std::size_t>(most)) << what;
        EXPECT_GT(held(bytes - 128, gpu, static_bytes), static_cast<std::size_t>(most)) << what;
      }
}

TEST(LaunchStyles, NeverAskForMoreThanABlockMayHave) {
  const SharedMemory gpu{100 * 1024, 1024, 48 * 1024};  // half a multiprocessor is more than that
  EXPECT_EQ(shared_bytes_for_at_most(1, gpu, 8) + 8, gpu.block);
  EXPECT_EQ(shared_bytes_for_at_most(0, gpu, 8) + 8, gpu.block);
}

TEST(LaunchStyles, ArePartOfTheName) {
  using Names = std::vector<std::string>;
  const auto names = [](const std::string& kernel) {
    Names all;
    for (const LaunchVariant& variant : launch_variants(kernel)) {
      EXPECT_EQ(split_style(variant.kernel).kernel, split_style(kernel).kernel);
      all.push_back(variant.style + ": " + variant.kernel);
    }
    return all;
  };
  EXPECT_EQ(names("simt/r32/c64/s4"), (Names{"spread0: simt/r32/c64/s4/spread0", "spread1: simt/r32/c64/s4/spread1",
                                             "late: simt/r32/c64/s4/late"}));
  EXPECT_EQ(names("mma/r32/c64/s4/spread1"),
            (Names{": mma/r32/c64/s4", "spread0: mma/r32/c64/s4/spread0", "late: mma/r32/c64/s4/late"}));
  EXPECT_EQ(names("sum+act+patch/c32/r1/w4/late").front(), ": sum+act+patch/c32/r1/w4");
  EXPECT_EQ(names("add+sum+act+patch/c32/r1/w4/late").front(), ": add+sum+act+patch/c32/r1/w4");
  for (const char* other : {"cudnn/fused/38:2=1", "gemm/fused/00ff", "wgmma/r128/c128/b1/d2", "strip/v4/c2/t128",
                            "gather", "direct", "sum+cudnn/bare/1"})
    EXPECT_TRUE(launch_variants(other).empty()) << other;
  EXPECT_EQ(split_style("simt/r32/c64/s4").style, LaunchStyle{});
  EXPECT_EQ(split_style("simt/r32/c64/s4/spread12").style, LaunchStyle{.spread = 12});
  EXPECT_EQ(split_style("simt/r32/c64/s4/late").style, LaunchStyle{.late = true});
}

/// A convolution whose tensors are aligned for all of our kernels.
Case conv_case(Precision precision, int channels, int side, int out_channels) {
  Rng rng(static_cast<unsigned>(channels + side));
  Problem p = blank(rng, precision, preferred_format(precision), Step::Kind::conv);
  p.batch = 1;
  p.input = {channels, side, side};
  p.layer = Conv2d{.out_channels = out_channels, .kernel = {3, 3}, .padding = {1, 1}, .act = Activation::relu};
  for (;;) {
    Case c = finish(rng, p, 1);
    if (row_alignment(c.problem.inputs[0], c.problem) == 16 && row_alignment(c.problem.result, c.problem) == 16)
      return c;
  }
}

/// Some of our convolutions for a problem.
std::vector<std::string> own_kernels(const Problem& problem, const KernelSite& site) {
  std::vector<std::string> names = list_own_convs(problem, site);
  for (std::string& name : list_patch_convs(problem)) names.push_back(std::move(name));
  return names;
}

std::unique_ptr<Kernel> build_ours(const Problem& problem, const std::string& name) {
  return name.starts_with("patch/") ? build_patch_conv(problem, name) : build_own_conv(problem, name);
}

TEST(LaunchStyles, ThatDoNotExistAreErrors) {
  const Problem fp32 = conv_case(Precision::fp32, 32, 8, 32).problem;
  EXPECT_EQ(build_own_conv(fp32, "simt/r32/c64/s1/spread1")->describe(), "simt/r32/c64/s1/spread1");
  EXPECT_EQ(build_own_conv(fp32, "simt/r32/c64/s1/late")->describe(), "simt/r32/c64/s1/late");
  for (const char* style : {"spread", "spread-1", "spread01", "spread1x", "spread99999999999", "later", "early", "",
                            "spread1/late", "late/late"})
    EXPECT_THROW(build_own_conv(fp32, std::string("simt/r32/c64/s1/") + style), Error) << style;
}

class LaunchStylesOnGpu : public OnGpu, public testing::WithParamInterface<Precision> {};

TEST_P(LaunchStylesOnGpu, DoNotChangeResults) {
  const KernelSite site(0);
  int styled = 0;
  for (const auto& [channels, side] : {std::pair(64, 8), std::pair(48, 17), std::pair(16, 35)}) {
    const Case c = conv_case(GetParam(), channels, side, 64);
    const Loaded loaded(c);
    for (const std::string& name : own_kernels(c.problem, site)) {
      const double plain = loaded.run(*build_ours(c.problem, name));
      EXPECT_LT(plain, output_tolerance(GetParam())) << name;
      for (const LaunchVariant& variant : launch_variants(name)) {
        EXPECT_EQ(loaded.run(*build_ours(c.problem, variant.kernel)), plain) << variant.kernel;
        ++styled;
      }
    }
  }
  EXPECT_GT(styled, 0);
}

/// A kernel ready to be captured.
struct Ready {
  const Case* what;
  std::string name;
  std::unique_ptr<Kernel> kernel;
  std::unique_ptr<Loaded> loaded;
  DeviceBuffer weights;

  Ready(const Case& c, const std::string& name)
      : what(&c), name(name), kernel(build_ours(c.problem, name)), loaded(std::make_unique<Loaded>(c)) {
    const auto packed = kernel->pack(c.weights);
    weights = DeviceBuffer(packed.size());
    OPSCHED_CUDA(cudaMemcpy(weights.data(), packed.data(), packed.size(), cudaMemcpyHostToDevice));
  }
  void launch(cudaStream_t stream) const {
    kernel->launch(stream, loaded->inputs(), loaded->output(), weights.data(), nullptr);
  }
};

/// Blocks and dynamic shared memory of the only kernel of a launch.
cudaKernelNodeParams node_of(const Ready& ready) {
  const Stream stream = make_stream();
  Capture capture(stream.get());
  ready.launch(stream.get());
  const CudaGraph graph = capture.end();
  std::size_t count = 1;
  cudaGraphNode_t node{};
  OPSCHED_CUDA(cudaGraphGetNodes(graph.get(), &node, &count));
  EXPECT_EQ(count, 1u);
  cudaKernelNodeParams params{};
  OPSCHED_CUDA(cudaGraphKernelNodeGetParams(node, &params));
  return params;
}

TEST_P(LaunchStylesOnGpu, LimitTheBlocksOfAMultiprocessor) {
  const KernelSite site(0);
  const SharedMemory gpu{
      .multiprocessor = static_cast<std::size_t>(device_attribute(cudaDevAttrMaxSharedMemoryPerMultiprocessor)),
      .reserved = static_cast<std::size_t>(device_attribute(cudaDevAttrReservedSharedMemoryPerBlock)),
      .block = static_cast<std::size_t>(device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin))};
  constexpr std::size_t kStatic = 8;  // of conv_mma
  const Case c = conv_case(GetParam(), 64, 17, 96);
  int limited = 0;
  for (const std::string& name : own_kernels(c.problem, site)) {
    const cudaKernelNodeParams plain = node_of({c, name}), late = node_of({c, name + "/late"});
    EXPECT_EQ(late.sharedMemBytes, plain.sharedMemBytes);
    const unsigned blocks = plain.gridDim.x * plain.gridDim.y * plain.gridDim.z;
    const auto even = (blocks + site.multiprocessors - 1) / site.multiprocessors;
    for (unsigned spread : {0, 1}) {
      const unsigned bytes = node_of({c, name + "/spread" + std::to_string(spread)}).sharedMemBytes;
      EXPECT_GE(bytes, plain.sharedMemBytes) << name;
      EXPECT_LE(bytes, gpu.block) << name;
      EXPECT_GE(held(bytes, gpu, kStatic), std::min<std::size_t>(even, held(plain.sharedMemBytes, gpu, kStatic)))
          << name << ": an even spread must fit";
      if (bytes == plain.sharedMemBytes) continue;
      EXPECT_EQ(held(bytes, gpu, kStatic), even + spread) << name;
      ++limited;
    }
  }
  EXPECT_GT(limited, 0);
}

/// The limit on shared memory belongs to the kernel. No launch may lower it below what a captured one needs.
TEST_P(LaunchStylesOnGpu, ThatNeedDifferentSharedMemoryRunInOneGraph) {
  const KernelSite site(0);
  const Case small = conv_case(GetParam(), 64, 8, 32), large = conv_case(GetParam(), 64, 56, 96);
  for (const std::string& name : own_kernels(small.problem, site)) {
    const std::vector<std::string> theirs = own_kernels(large.problem, site);
    if (std::ranges::find(theirs, name) == theirs.end()) continue;
    for (const bool most_first : {true, false}) {
      std::vector<Ready> kernels;
      kernels.emplace_back(small, name + "/spread0");  // one block on a multiprocessor
      kernels.emplace_back(large, name + "/spread1");
      kernels.emplace_back(large, name);
      if (!most_first) std::ranges::reverse(kernels);
      for (const Ready& each : kernels) each.loaded->poison();
      OPSCHED_CUDA(cudaDeviceSynchronize());
      const Stream stream = make_stream();
      Capture capture(stream.get());
      for (const Ready& each : kernels) each.launch(stream.get());
      const GraphExec exec = instantiate(capture.end());
      OPSCHED_CUDA(cudaGraphLaunch(exec.get(), stream.get()));
      OPSCHED_CUDA(cudaStreamSynchronize(stream.get()));
      for (const Ready& each : kernels)
        EXPECT_LT(each.loaded->error(), output_tolerance(GetParam())) << each.name << (most_first ? " first" : " last");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, LaunchStylesOnGpu, testing::ValuesIn(kPrecisions),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace opsched
