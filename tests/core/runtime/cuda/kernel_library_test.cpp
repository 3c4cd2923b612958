// The kernel library: choices, their file, captures, benchmarks and overlapping launches.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/runtime/cuda/library/cudnn_graph.hpp"
#include "core/runtime/cuda/library/kernel_benchmark.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"
#include "tests/core/runtime/cuda/kernel_cases.hpp"

namespace opsched {
namespace {

class KernelLibraries : public OnGpu, public testing::WithParamInterface<Precision> {};
class KernelLibraryFiles : public OnGpu {};
class KernelBenchmarks : public OnGpu {};
class KernelOverlap : public OnGpu {};

TEST_P(KernelLibraries, ChoicesAreRightAndRemembered) {
  Rng rng(5);
  std::vector<Case> cases;
  for (TensorFormat layout : layouts(GetParam())) {
    cases.push_back(random_conv(rng, GetParam(), layout));
    cases.push_back(random_affine(rng, GetParam(), layout));
    cases.push_back(random_residual_conv(rng, GetParam(), layout));
    cases.push_back(random_depthwise(rng, GetParam(), layout));
    cases.push_back(random_pool(rng, GetParam(), layout));
    Problem many = blank(rng, GetParam(), layout, Step::Kind::gather);  // more inputs than kernels take
    many.input = {5, 4, 3};
    many.pre = Activation::relu;
    cases.push_back(finish(rng, many, 2 * native::kMaxSources + 5));
    Problem affine = blank(rng, GetParam(), layout, Step::Kind::conv);
    affine.input = {24, 4, 3};
    affine.layer = Conv2d{.out_channels = 9};
    affine.affine = true;
    affine.pre = Activation::relu;
    cases.push_back(finish(rng, affine, native::kMaxSources + 3));
    affine.residual.emplace();
    affine.post = Activation::gelu;
    cases.push_back(finish(rng, affine, native::kMaxSources + 3));
  }
  const std::vector<Case> alone = cases;
  for (Case c : alone) {
    c.problem.concurrent = true;
    cases.push_back(std::move(c));
  }
  std::vector<Problem> problems;
  for (const Case& c : cases) problems.push_back(c.problem);
  const auto file = std::filesystem::temp_directory_path() / ("opsched_kernels_" + std::to_string(getpid()) + ".json");
  std::filesystem::remove(file);
  std::map<std::string, std::string> chosen;
  {
    KernelLibrary library(0, file.string());
    library.prepare(problems);
    EXPECT_FALSE(library.tunings().empty());
    for (const Case& c : cases) {
      const auto kernel = library.get(c.problem);
      chosen[c.problem.key()] = kernel->describe();
      EXPECT_LT(Loaded(c).run(*kernel), output_tolerance(GetParam())) << kernel->describe() << ": " << c.problem.key();
    }
  }
  KernelLibrary again(0, file.string());
  again.prepare(problems);
  EXPECT_TRUE(again.tunings().empty());
  for (const Case& c : cases) {
    const auto kernel = again.get(c.problem);
    EXPECT_EQ(kernel->describe(), chosen[c.problem.key()]);
    EXPECT_LT(Loaded(c).run(*kernel), output_tolerance(GetParam()));
  }
  std::filesystem::remove(file);
}

TEST_P(KernelLibraries, CanBeCapturedOnSeveralStreamsAtOnce) {
  Rng rng(6);
  const TensorFormat layout = preferred_format(GetParam());
  KernelLibrary library(0, "");
  std::vector<Case> cases;
  for (int i = 0; i < 4; ++i) cases.push_back(random_conv(rng, GetParam(), layout));
  for (int i = 0; i < 4; ++i) cases.push_back(random_depthwise(rng, GetParam(), layout));
  std::vector<Problem> problems;
  for (const Case& c : cases) problems.push_back(c.problem);
  library.prepare(problems);
  std::vector<std::unique_ptr<Loaded>> loaded;
  std::vector<DeviceBuffer> memory;
  std::vector<Stream> streams;
  std::vector<Event> joins;
  const Event fork = make_event(false);
  for (const Case& c : cases) {
    loaded.push_back(std::make_unique<Loaded>(c));
    loaded.back()->poison();
    streams.push_back(make_stream());
    joins.push_back(make_event(false));
    const auto kernel = library.get(c.problem);
    const auto packed = kernel->pack(c.weights);
    memory.emplace_back(packed.size() + 1);
    OPSCHED_CUDA(cudaMemcpy(memory.back().data(), packed.data(), packed.size(), cudaMemcpyHostToDevice));
    memory.emplace_back(kernel->workspace_bytes() + 1);
  }
  Capture capture(streams[0].get());
  OPSCHED_CUDA(cudaEventRecord(fork.get(), streams[0].get()));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (i > 0) OPSCHED_CUDA(cudaStreamWaitEvent(streams[i].get(), fork.get()));
    library.get(cases[i].problem)
        ->launch(streams[i].get(), loaded[i]->inputs(), loaded[i]->output(), memory[2 * i].data(),
                 memory[2 * i + 1].data());
    if (i > 0) {
      OPSCHED_CUDA(cudaEventRecord(joins[i].get(), streams[i].get()));
      OPSCHED_CUDA(cudaStreamWaitEvent(streams[0].get(), joins[i].get()));
    }
  }
  const GraphExec exec = instantiate(capture.end());
  OPSCHED_CUDA(cudaGraphLaunch(exec.get(), streams[0].get()));
  OPSCHED_CUDA(cudaDeviceSynchronize());
  for (std::size_t i = 0; i < cases.size(); ++i)
    EXPECT_LT(loaded[i]->error(), output_tolerance(GetParam())) << cases[i].problem.key();
}

/// Kernels overlap with the end of their predecessors; the inputs must be complete nevertheless.
TEST_F(KernelOverlap, RespectsDependences) {
  constexpr int kSteps = 300, kStreams = 4, kRecent = 12;
  Rng rng(8);
  Problem p;
  p.input = p.output = {64, 56, 56};
  p.inputs.assign(2, dense_layout(p.input, TensorFormat::nchw));
  p.result = p.inputs[0];
  p.pre = Activation::tanh;
  const auto kernel = build_native(p, "gather");
  std::vector<DeviceBuffer> values;
  std::vector<Event> done;
  std::vector<float> expected;
  std::vector<Stream> streams;
  for (int i = 0; i < kStreams; ++i) streams.push_back(make_stream());
  const auto size = static_cast<std::size_t>(p.input.size());
  for (int i = 0; i < kRecent; ++i) {
    expected.push_back(0.1f * static_cast<float>(i) - 0.5f);
    const std::vector<float> start(size, expected.back());
    values.emplace_back(size * sizeof(float));
    OPSCHED_CUDA(cudaMemcpy(values.back().data(), start.data(), size * sizeof(float), cudaMemcpyHostToDevice));
  }
  Capture capture(streams[0].get());
  const Event fork = make_event(false);
  OPSCHED_CUDA(cudaEventRecord(fork.get(), streams[0].get()));
  for (int s = 1; s < kStreams; ++s) OPSCHED_CUDA(cudaStreamWaitEvent(streams[s].get(), fork.get()));
  std::vector<int> stream_of;
  for (int i = kRecent; i < kSteps; ++i) {
    const int stream = std::uniform_int_distribution<int>(0, kStreams - 1)(rng);
    std::array<const void*, 2> inputs{};
    float sum = 0;
    for (const void*& input : inputs) {
      const int from = i - 1 - std::uniform_int_distribution<int>(0, kRecent - 1)(rng);
      input = values[from].data();
      sum += expected[from];
      if (from >= kRecent && stream_of[from - kRecent] != stream)
        OPSCHED_CUDA(cudaStreamWaitEvent(streams[stream].get(), done[from - kRecent].get()));
    }
    expected.push_back(std::tanh(sum));
    values.emplace_back(size * sizeof(float));
    OPSCHED_CUDA(cudaMemset(values.back().data(), 0xff, size * sizeof(float)));
    kernel->launch(streams[stream].get(), inputs, values.back().data(), nullptr, nullptr);
    done.push_back(make_event(false));
    OPSCHED_CUDA(cudaEventRecord(done.back().get(), streams[stream].get()));
    stream_of.push_back(stream);
  }
  for (int s = 1; s < kStreams; ++s) {
    const Event end = make_event(false);
    OPSCHED_CUDA(cudaEventRecord(end.get(), streams[s].get()));
    OPSCHED_CUDA(cudaStreamWaitEvent(streams[0].get(), end.get()));
  }
  const GraphExec exec = instantiate(capture.end());
  OPSCHED_CUDA(cudaGraphLaunch(exec.get(), streams[0].get()));
  OPSCHED_CUDA(cudaDeviceSynchronize());
  for (int i = 0; i < kSteps; ++i) {
    std::vector<float> got(size);
    OPSCHED_CUDA(cudaMemcpy(got.data(), values[i].data(), size * sizeof(float), cudaMemcpyDeviceToHost));
    for (float x : got) ASSERT_NEAR(x, expected[i], 1e-4) << "step " << i;
  }
}

/// A kernel that behaves as set, whatever the problem.
class Rogue : public Kernel {
 public:
  Rogue(std::int64_t from, std::int64_t count, int value) : from_(from), count_(count), value_(value) {}
  std::vector<std::byte> pack(const ConvWeights&) const override { return {}; }
  void launch(cudaStream_t stream, std::span<const void* const>, void* output, const void*, void*) const override {
    OPSCHED_CUDA(cudaMemsetAsync(static_cast<float*>(output) + from_, value_, count_ * sizeof(float), stream));
  }
  std::string describe() const override { return "rogue"; }
  std::string weight_format() const override { return "none"; }

 private:
  std::int64_t from_, count_;
  int value_;
};

TEST_F(KernelBenchmarks, SeeWrongKernels) {
  Problem p;
  p.input = p.output = {8, 5, 5};
  p.inputs = {dense_layout(p.input, TensorFormat::nchw)};
  p.result = slice_layout({24, 5, 5}, 8, 8, TensorFormat::nchw, 4);
  const BenchmarkContext context;
  KernelBenchmark benchmark(p, context);
  EXPECT_LT(benchmark.check(*build_native(p, "gather")), 1e-7);
  EXPECT_THROW(benchmark.check(Rogue(0, 200, 0)), Error);  // wrong numbers
  EXPECT_THROW(benchmark.check(Rogue(0, 199, 0)), Error);  // one missing
  EXPECT_THROW(benchmark.check(Rogue(0, 201, 0)), Error);  // one too many
  EXPECT_THROW(benchmark.check(Rogue(-1, 201, 0)), Error);
}

/// A kernel that writes the layer's output without its residual.
class Forgetful : public Kernel {
 public:
  explicit Forgetful(std::shared_ptr<const Kernel> kernel) : kernel_(std::move(kernel)) {
    workspace_bytes_ = kernel_->workspace_bytes(), weight_bytes_ = kernel_->weight_bytes();
  }
  std::vector<std::byte> pack(const ConvWeights& weights) const override { return kernel_->pack(weights); }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void* workspace) const override {
    kernel_->launch(stream, inputs.first(inputs.size() - 1), output, weights, workspace);
  }
  std::string describe() const override { return "forgetful"; }
  std::string weight_format() const override { return kernel_->weight_format(); }

 private:
  std::shared_ptr<const Kernel> kernel_;
};

TEST_F(KernelBenchmarks, SeeForgottenResiduals) {
  Problem p;
  p.kind = Step::Kind::conv;
  p.input = {8, 5, 5}, p.output = {12, 5, 5};
  p.layer = Conv2d{.out_channels = 12, .act = Activation::relu};
  p.inputs = {dense_layout(p.input, TensorFormat::nchw)};
  p.result = slice_layout({24, 5, 5}, 8, 12, TensorFormat::nchw, 4);
  Problem without = p;
  p.residual = slice_layout({13, 5, 5}, 1, 12, TensorFormat::nchw, 4);
  p.post = Activation::relu;
  const auto site = std::make_shared<KernelSite>(0);
  const cudnn::Handle builder;
  const BenchmarkContext context;
  KernelBenchmark benchmark(p, context, 1 << 20);
  EXPECT_LT(benchmark.check(*build_kernel(p, "add+direct", site, builder)), kernel_tolerance(p.precision));
  EXPECT_THROW(benchmark.check(Forgetful(build_kernel(without, "direct", site, builder))), Error);
}

TEST_F(KernelLibraryFiles, BadOnesAreReportedAndReplaced) {
  const auto file = std::filesystem::temp_directory_path() / ("opsched_choices_" + std::to_string(getpid()) + ".json");
  Rng rng(7);
  const Case c = random_pool(rng, Precision::fp32, TensorFormat::nchw);
  // Damaged, and from another version.
  for (const std::string text : {"{", R"({"format": "opsched kernel choices", "version": 1, "choices": 7})"}) {
    std::ofstream(file) << text;
    std::vector<std::string> said;
    KernelLibrary library(0, file.string(), [&](const std::string& line) { said.push_back(line); });
    library.get(c.problem);
    EXPECT_EQ(said.size(), text == "{" ? 1u : 0u);
    for (const std::string& line : said) EXPECT_NE(line.find(file.string()), std::string::npos) << line;
    EXPECT_EQ(library.tunings().size(), 1u);
    EXPECT_NE(read_file(file.string()).find(c.problem.key()), std::string::npos);
  }
  std::filesystem::remove(file);
}

/// However long building them takes.
TEST_P(KernelLibraries, EveryCandidateCompetes) {
  Rng rng(9);
  const Case c = random_conv(rng, GetParam(), preferred_format(GetParam()));
  KernelLibrary library(0, "");
  library.get(c.problem);
  std::set<std::string> listed, competed;
  const Site site = std::make_shared<KernelSite>(0);
  const cudnn::Handle builder;
  for (const std::string& name : list_kernels(c.problem, site, builder)) listed.insert(name);
  for (const Tuning::Candidate& candidate : library.tunings().front().candidates) competed.insert(candidate.kernel);
  EXPECT_EQ(competed, listed);
}

INSTANTIATE_TEST_SUITE_P(, KernelLibraries, testing::ValuesIn(kPrecisions),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace opsched
