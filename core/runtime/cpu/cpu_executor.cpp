#include "core/runtime/cpu/cpu_executor.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>
#include <thread>

#include "core/error.hpp"
#include "core/runtime/cpu/kernels.hpp"
#include "core/runtime/program/merged_weights.hpp"

namespace opsched {
namespace {

constexpr std::size_t kFlushBytes = std::size_t{256} << 20;  // larger than a host's last-level cache
constexpr int kRotatingInputs = 4;

/// Set once, when a step has ended. It has its own lock instead of std::atomic::wait, whose waiters share one table:
/// the table would order steps that are not ordered, and hide races from ThreadSanitizer.
class Event {
 public:
  void set() {
    const std::lock_guard lock(lock_);
    is_set_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(lock_);
    changed_.wait(lock, [&] { return is_set_; });
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  bool is_set_ = false;
};

class CpuExecutor : public Executor {
 public:
  CpuExecutor(const Graph& graph, Program program, std::uint64_t seed, ProcessGroup* processes)
      : program_(std::move(program)), processes_(processes) {
    for (std::int64_t bytes : program_.arena_bytes) arenas_.emplace_back(bytes / sizeof(float));
    for (const Step& step : program_.steps) {
      weights_.push_back(step.weights.empty() ? ConvWeights{} : merged_weights(graph, step, seed));
      streams_[{step.device, step.stream}].push_back(static_cast<int>(weights_.size()) - 1);
    }
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    if (inputs.size() != program_.inputs.size())
      throw Error("the program has " + std::to_string(program_.inputs.size()) + " inputs, not " +
                  std::to_string(inputs.size()));
    for (std::vector<float>& arena : arenas_) std::ranges::fill(arena, std::numeric_limits<float>::quiet_NaN());
    load(inputs);
    run_streams();
    std::vector<Tensor> outputs;
    for (const View& output : program_.outputs) {
      const TensorView<const float> from = view(output);
      Tensor tensor{from.n, from.shape, std::vector<float>(from.n * from.shape.size())};
      gather({&from, 1}, Activation::none, {tensor.data.data(), from.shape.size(), from.n, from.shape}, 1);
      outputs.push_back(std::move(tensor));
    }
    return outputs;
  }

  std::vector<double> sample(int count) override {
    if (!processes_)
      throw Error("the CPU runs schedules for their results; their latencies come from a GPU or a recorded profile");
    using Clock = std::chrono::steady_clock;
    std::vector<double> ms;
    for (int i = 0; i < count; ++i) {
      processes_->barrier();
      const Clock::time_point start = Clock::now();
      run_streams();
      processes_->barrier();
      ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
    return ms;
  }
  Measurement measure(const MeasureOptions&) override { return summarise(sample(1)); }

  /// Host times: useful for trying out protocols; they say nothing about a GPU.
  std::vector<double> sample_by(const Protocol& protocol) override {
    using Kind = Protocol::Kind;
    const int count = protocol.samples();
    const auto once = [this] { run_streams(); };
    if (processes_) return Executor::sample_by(protocol);
    if (protocol.kind == Kind::burst)
      throw Error("'burst': nothing queues runs on the CPU; 'replays' measures runs one after another");
    if (protocol.kind == Kind::energy) throw Error("'energy' is read from NVML, of a GPU: --device gpu");
    load(random_inputs(1));
    run_streams();  // a warm-up
    if (protocol.kind == Kind::in_flight) return sample_in_flight(count, protocol.in_flight);
    if (protocol.kind == Kind::cold) {
      std::vector<float> flush(kFlushBytes / sizeof(float));
      return host_samples(
          count, [&](int i) { std::ranges::fill(flush, static_cast<float>(i)); }, once);
    }
    if (protocol.kind == Kind::rotating) {
      std::vector<std::vector<Tensor>> inputs;
      for (int i = 0; i < kRotatingInputs; ++i) inputs.push_back(random_inputs(i + 1));
      return host_samples(
          count, [&](int i) { load(inputs[i % kRotatingInputs]); }, once);
    }
    return host_samples(count, {}, once);
  }

  std::int64_t activation_bytes(int device) const override { return program_.arena_bytes.at(device); }
  std::int64_t transfer_bytes() const override { return opsched::transfer_bytes(program_, sizeof(float)); }

 private:
  /// Copies the inputs into the arenas. Throws Error for another shape or batch.
  void load(const std::vector<Tensor>& inputs) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const TensorView<float> to = view(program_.inputs[i]);
      if (inputs[i].n != to.n || inputs[i].shape != to.shape ||
          static_cast<std::int64_t>(inputs[i].data.size()) != to.n * to.shape.size())
        throw Error("input " + std::to_string(i) + " has another shape or batch than the program");
      const TensorView<const float> from{inputs[i].data.data(), to.shape.size(), to.n, to.shape};
      gather({&from, 1}, Activation::none, to, 1);
      clear_padding(program_.buffers[program_.inputs[i].buffer]);
    }
  }

  std::vector<Tensor> random_inputs(std::uint64_t seed) {
    std::vector<Tensor> inputs;
    for (const View& input : program_.inputs) {
      const TensorView<float> to = view(input);
      inputs.push_back(random_tensor(static_cast<int>(to.n), to.shape, seed++));
    }
    return inputs;
  }

  /// Copies of this executor, each with its own arenas, run `kRounds` times concurrently.
  std::vector<double> sample_in_flight(int count, int in_flight) {
    constexpr int kRounds = 5;
    std::vector<CpuExecutor> copies(static_cast<std::size_t>(in_flight), *this);
    std::vector<double> ms = host_samples(count, {}, [&] {
      std::vector<std::jthread> threads;
      for (CpuExecutor& copy : copies)
        threads.emplace_back([&copy] {
          for (int round = 0; round < kRounds; ++round) copy.run_streams();
        });
    });
    for (double& each : ms) each /= kRounds * in_flight;
    return ms;
  }

  TensorView<float> view(const View& v) {
    const Buffer& buffer = program_.buffers[v.buffer];
    float* data = arenas_[buffer.device].data() + buffer.offset / static_cast<std::int64_t>(sizeof(float));
    return part_of(data, buffer.shape, v.channel, v.channels, v.region);
  }

  void clear_padding(const Buffer& buffer) {
    const std::int64_t plane = std::int64_t{buffer.shape.h} * buffer.shape.w;
    float* image = arenas_[buffer.device].data() + buffer.offset / static_cast<std::int64_t>(sizeof(float));
    for (int n = 0; n < buffer.images; ++n, image += buffer.shape.size())
      std::fill_n(image + buffer.shape.size() - buffer.padding * plane, buffer.padding * plane, 0.0f);
  }

  /// One thread per stream. A step sets its event when it has ended; the steps that wait for it then see what it wrote.
  void run_streams() {
    std::vector<Event> ended(program_.steps.size());
    std::exception_ptr failure;
    std::mutex failure_lock;
    {
      std::vector<std::jthread> threads;
      for (const auto& [key, steps] : streams_)
        threads.emplace_back([&, &steps = steps] {
          for (int s : steps) {
            for (int w : program_.steps[s].waits) ended[w].wait();
            try {
              execute(program_.steps[s], weights_[s]);
            } catch (...) {
              const std::lock_guard lock(failure_lock);
              failure = std::current_exception();
            }
            ended[s].set();
          }
        });
    }
    if (failure) std::rethrow_exception(failure);
  }

  void execute(const Step& step, const ConvWeights& weights) {
    std::vector<TensorView<const float>> inputs;
    for (const View& input : step.inputs) inputs.push_back(view(input));
    if (step.kind == Step::Kind::send) return send(step, inputs.front());
    const TensorView<float> out = view(step.output);
    if (step.kind == Step::Kind::receive) return receive(step, out);
    if (step.kind == Step::Kind::gather || step.kind == Step::Kind::transfer) {
      gather(inputs, step.pre, out, 1);
      return;
    }
    if (step.kind == Step::Kind::multiply) return multiply(inputs, step.pre, out, 1);
    TensorView<const float> in = inputs.front();
    std::vector<float> sum;
    if (inputs.size() > 1 || step.affine || step.pre != Activation::none) {
      sum.resize(in.n * in.shape.size());
      const TensorView<float> to{sum.data(), in.shape.size(), in.n, in.shape};
      gather(inputs, step.affine ? Activation::none : step.pre, to, 1);
      if (step.affine) scale(to, weights.input_factor, weights.input_bias, step.pre, to, 1);
      in = to;
    }
    std::visit(
        [&](const auto& layer) {
          using Kind = std::decay_t<decltype(layer)>;
          if constexpr (std::is_same_v<Kind, Conv2d>) {
            if (step.residual) return convolve_and_add(step, in, layer, weights, out);
            convolve(in, layer, weights, out, 1);
          } else if constexpr (std::is_same_v<Kind, Pool2d>) {
            apply(in, layer, out, 1);
            if (!step.weights.empty())
              scale(out, std::vector<float>(weights.bias.size(), 1.0f), weights.bias, step.post, out, 1);
          } else if constexpr (!std::is_same_v<Kind, std::monostate>) {
            apply(in, layer, out, 1);
          }
        },
        step.layer);
  }

  void convolve_and_add(const Step& step, const TensorView<const float>& in, const Conv2d& conv,
                        const ConvWeights& weights, const TensorView<float>& out) {
    std::vector<float> own(static_cast<std::size_t>(out.n * out.shape.size()));
    const TensorView<float> to{own.data(), out.shape.size(), out.n, out.shape};
    convolve(in, conv, weights, to, 1);
    const TensorView<const float> summands[] = {to, view(*step.residual)};
    gather(summands, step.post, out, 1);
  }

  void send(const Step& step, const TensorView<const float>& from) {
    std::vector<float> dense(static_cast<std::size_t>(from.n * from.shape.size()));
    gather({&from, 1}, Activation::none, {dense.data(), from.shape.size(), from.n, from.shape}, 1);
    processes_->send(step.message.process, ProcessGroup::kFirstTag + step.message.id, std::as_bytes(std::span(dense)));
  }

  void receive(const Step& step, const TensorView<float>& to) {
    std::vector<float> dense(static_cast<std::size_t>(to.n * to.shape.size()));
    processes_->receive(step.message.process, ProcessGroup::kFirstTag + step.message.id,
                        std::as_writable_bytes(std::span(dense)));
    const TensorView<const float> from{dense.data(), to.shape.size(), to.n, to.shape};
    gather({&from, 1}, Activation::none, to, 1);
  }

  Program program_;
  ProcessGroup* processes_;                                  ///< nullptr: the program neither sends nor receives
  std::vector<std::vector<float>> arenas_;                   ///< by device
  std::vector<ConvWeights> weights_;                         ///< by step
  std::map<std::pair<int, int>, std::vector<int>> streams_;  ///< (device, stream) -> steps
};

}  // namespace

LoweringOptions cpu_lowering(Waits waits) {
  LoweringOptions options;
  options.waits = waits;
  options.fusion.conv_residual = true;
  options.fusion.pool_bias = true;
  return options;
}

std::unique_ptr<Executor> make_cpu_executor(const Graph& graph, Program program, std::uint64_t seed) {
  return std::make_unique<CpuExecutor>(graph, std::move(program), seed, nullptr);
}

std::unique_ptr<Executor> make_cpu_executor(const Graph& graph, Program part, std::uint64_t seed,
                                            ProcessGroup& processes) {
  return std::make_unique<CpuExecutor>(graph, std::move(part), seed, &processes);
}

std::unique_ptr<Executor> make_cpu_executor(const Graph& graph, const Schedule& schedule, std::uint64_t seed) {
  return make_cpu_executor(graph, lower(graph, schedule, cpu_lowering()), seed);
}

}  // namespace opsched
