// Copies between GPUs: the method chosen for a size, and the kernel that copies rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/device/cuda_handles.hpp"
#include "core/runtime/cuda/graph/transfer_copies.hpp"
#include "core/runtime/cuda/kernels/peer_copy.hpp"
#include "core/runtime/cuda/measure/transfer_timer.hpp"
#include "tests/core/runtime/cuda/kernel_cases.hpp"

namespace opsched {
namespace {

TEST(KernelRanges, HoldTheSizesWhereTheKernelWins) {
  const auto range = [](const std::vector<double>& kernel) {
    std::vector<MethodTimes> times;
    for (std::size_t i = 0; i < kernel.size(); ++i) times.push_back({std::size_t{4096} << (2 * i), kernel[i], 1.0});
    return kernel_range(times);
  };
  EXPECT_EQ(range({0.5, 0.5, 0.9, 2, 4}), (KernelRange{0, 65536}));
  EXPECT_EQ(range({1.01, 0.5, 0.9, 2, 4}), (KernelRange{16384, 65536})) << "a loss at the smallest size ends nothing";
  EXPECT_EQ(range({0.5, 1.01, 0.9, 2, 4}), (KernelRange{0, 65536})) << "nor does one in between";
  EXPECT_EQ(range({0.9, 3, 0.9, 2, 4}), (KernelRange{0, 4096})) << "a real one does";
  EXPECT_EQ(range({2, 2, 2}), (KernelRange{0, 0}));
  EXPECT_EQ(range({}), (KernelRange{0, 0}));
  EXPECT_EQ(range({2, 2, 0.5}), (KernelRange{65536, 65536}));
}

TEST(CopyRoutes, TakeTheKernelInItsRangeOnly) {
  const CopyRoute route{.through_host = false, .kernel_from = 100, .kernel_limit = 200};
  EXPECT_EQ(route.method(99), CopyMethod::engine);
  EXPECT_EQ(route.method(100), CopyMethod::kernel);
  EXPECT_EQ(route.method(200), CopyMethod::kernel);
  EXPECT_EQ(route.method(201), CopyMethod::engine);
}

/// Bytes of a view in its buffer, marked.
std::vector<char> bytes_of(const Program& program, const View& view, Precision precision) {
  const Shape whole = program.buffers[view.buffer].shape, part = shape_of(program, view);
  const TensorFormat format = preferred_format(precision);
  const int element = element_bytes(precision);
  const int images = program.buffers[view.buffer].images;
  std::vector<char> marked(static_cast<std::size_t>(images * whole.size() * element), 0);
  const TensorLayout t = slice_layout(whole, view.channel, view.channels, format, element, view.region);
  for (int n = 0; n < view.region.images.size(); ++n)
    for (int c = 0; c < part.c; ++c)
      for (int h = 0; h < part.h; ++h)
        for (int w = 0; w < part.w; ++w) {
          const std::int64_t at = n * whole.size() + c * t.c + h * t.h + w * t.w;
          std::fill_n(marked.begin() + slice_offset(whole, view.channel, format, element, view.region) + at * element,
                      element, 1);
        }
  return marked;
}

TEST(TransferCopies, AreTheChannelsAndRegionsOfTheViews) {
  Rng rng(5);
  for (int i = 0; i < 500; ++i) {
    const int batch = pick(rng, {1, 1, 2, 3}), height = pick(rng, {4, 7}), width = pick(rng, {3, 5});
    const int images = pick(rng, {batch, 1}), image = std::uniform_int_distribution<int>(0, batch - images)(rng);
    const int channels = pick(rng, {1, 4}), row = pick(rng, {0, 0, 2}), rows = pick(rng, {height, 1, 2});
    const Precision precision = kPrecisions[pick(rng, {0, 1, 2, 3})];
    Program program;
    Step step{.kind = Step::Kind::transfer};
    for (int buffer : {0, 1}) {
      const int before = pick(rng, {0, 2}), after = pick(rng, {0, 3});
      program.buffers.push_back(
          {.device = buffer, .shape = {before + channels + after, height, width}, .images = batch});
      const View view{buffer,
                      before,
                      channels,
                      {{image, image + images}, rows == height ? Range{0, height} : Range{row, row + rows}}};
      (buffer == 0 ? step.inputs.emplace_back() : step.output) = view;
    }
    const auto address = [&](std::vector<char>& memory, const View& view) {
      return memory.data() + slice_offset(program.buffers[view.buffer].shape, view.channel, preferred_format(precision),
                                          element_bytes(precision), view.region);
    };
    std::vector<char> source = bytes_of(program, step.inputs.front(), precision);
    const std::vector<char> want = bytes_of(program, step.output, precision);
    std::vector<char> target(want.size(), 0);
    std::size_t bytes = 0;
    for (const PeerCopy& copy : transfer_copies(program, step, precision, address(target, step.output),
                                                address(source, step.inputs.front()))) {
      for (std::size_t r = 0; r < copy.rows; ++r)
        std::copy_n(static_cast<const char*>(copy.source) + r * copy.source_pitch, copy.width,
                    static_cast<char*>(copy.target) + r * copy.target_pitch);
      bytes += copy.bytes();
    }
    ASSERT_EQ(target, want) << "case " << i;
    ASSERT_EQ(bytes, static_cast<std::size_t>(std::ranges::count(want, 1)));
  }
}

class PeerCopies : public OnGpu {};

TEST_F(PeerCopies, MoveTheirRowsAndNothingElse) {
  Rng rng(3);
  for (int i = 0; i < cases(60); ++i) {
    const int unit = pick(rng, {2, 4, 8, 16});
    const auto units = [&](int most) {
      return static_cast<std::size_t>(unit) * std::uniform_int_distribution<int>(1, most)(rng);
    };
    PeerCopy copy;
    copy.rows = std::uniform_int_distribution<std::size_t>(1, pick(rng, {1, 7, 5000}))(rng);
    copy.width = units(copy.rows > 100 ? 60 : 70000);
    copy.target_pitch = copy.width + (pick(rng, {0, 1}) ? units(9) : 0);
    copy.source_pitch = copy.width + (pick(rng, {0, 1}) ? units(9) : 0);
    std::vector<unsigned char> source(copy.rows * copy.source_pitch), before(copy.rows * copy.target_pitch, 0xee);
    for (auto& byte : source) byte = static_cast<unsigned char>(rng());
    const DeviceBuffer from(source.size()), to(before.size());
    OPSCHED_CUDA(cudaMemcpy(from.data(), source.data(), source.size(), cudaMemcpyHostToDevice));
    OPSCHED_CUDA(cudaMemcpy(to.data(), before.data(), before.size(), cudaMemcpyHostToDevice));
    copy.source = from.data(), copy.target = to.data();
    enqueue_copy(copy, CopyMethod::kernel, nullptr);
    std::vector<unsigned char> want = before, got(before.size());
    for (std::size_t row = 0; row < copy.rows; ++row)
      std::copy_n(source.begin() + row * copy.source_pitch, copy.width, want.begin() + row * copy.target_pitch);
    OPSCHED_CUDA(cudaMemcpy(got.data(), to.data(), got.size(), cudaMemcpyDeviceToHost));
    ASSERT_TRUE(got == want) << copy.rows << " rows of " << copy.width << " bytes, pitches " << copy.source_pitch
                             << " and " << copy.target_pitch;
  }
}

}  // namespace
}  // namespace opsched
