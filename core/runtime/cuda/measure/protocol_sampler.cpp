#include "core/runtime/cuda/measure/protocol_sampler.hpp"

#include <chrono>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"
#include "core/runtime/cuda/device/energy_meter.hpp"
#include "core/runtime/cuda/kernels/dense_copy.hpp"
#include "core/runtime/cuda/measure/graph_timer.hpp"

namespace opsched {
namespace {

constexpr int kQueued = 10;           // replays enqueued at once, each with its preceding work
constexpr int kFlushes = 4;           // bytes written to flush the L2 cache, as a multiple of its size
constexpr int kInputs = 8;            // input sets that take turns
constexpr int kRounds = 20;           // rounds of replays in flight per sample
constexpr double kEnergySeconds = 1;  // duration of a sample: several updates of the driver's counter

void launch(const CapturedProgram& program, cudaStream_t stream) {
  OPSCHED_CUDA(cudaGraphLaunch(program.exec(), stream));
}

/// Latencies of replays, each enqueued behind the work that `before` puts on the program's stream. GPU events exclude
/// that work.
std::vector<double> sample_behind(const ProtocolSubject& subject, int count, const std::function<void(int)>& before) {
  const cudaStream_t stream = subject.program.stream();
  std::vector<Event> begin, end;
  for (int i = 0; i < kQueued; ++i) begin.push_back(make_event(true)), end.push_back(make_event(true));
  std::vector<double> ms;
  while (static_cast<int>(ms.size()) < count) {
    // The first replay of a batch waits for its own launch, so it is left out.
    for (int i = 0; i < kQueued; ++i) {
      before(static_cast<int>(ms.size()) + i);
      OPSCHED_CUDA(cudaEventRecord(begin[i].get(), stream));
      launch(subject.program, stream);
      OPSCHED_CUDA(cudaEventRecord(end[i].get(), stream));
    }
    subject.devices.front()->clocks().sample();
    OPSCHED_CUDA(cudaEventSynchronize(end.back().get()));
    for (int i = 1; i < kQueued && static_cast<int>(ms.size()) < count; ++i) ms.push_back(elapsed_ms(begin[i], end[i]));
  }
  return ms;
}

/// Overwrites more than the L2 cache, on all devices concurrently, after all work on `origin`.
class CacheFlush {
 public:
  CacheFlush(std::span<DeviceContext* const> devices, cudaStream_t origin) : origin_(origin) {
    for (DeviceContext* device : devices) {
      const DeviceScope scope(device->gpu());
      const auto l2 = static_cast<std::size_t>(device_attribute(cudaDevAttrL2CacheSize));
      one_.push_back({.gpu = device->gpu(),
                      .stream = make_stream(),
                      .memory = DeviceBuffer(kFlushes * l2),
                      .flushed = make_event(false)});
    }
    ready_ = make_event(false);
  }

  void enqueue(int value) {
    OPSCHED_CUDA(cudaEventRecord(ready_.get(), origin_));
    for (One& one : one_) {
      {
        const DeviceScope scope(one.gpu);
        OPSCHED_CUDA(cudaStreamWaitEvent(one.stream.get(), ready_.get(), 0));
        OPSCHED_CUDA(cudaMemsetAsync(one.memory.data(), value & 0xff, one.memory.bytes(), one.stream.get()));
        OPSCHED_CUDA(cudaEventRecord(one.flushed.get(), one.stream.get()));
      }
      OPSCHED_CUDA(cudaStreamWaitEvent(origin_, one.flushed.get(), 0));
    }
  }

 private:
  struct One {
    int gpu;
    Stream stream;
    DeviceBuffer memory;
    Event flushed;
  };
  cudaStream_t origin_;
  std::vector<One> one_;
  Event ready_;  ///< on the first device
};

std::vector<double> sample_cold(const ProtocolSubject& subject, int count) {
  CacheFlush flush(subject.devices, subject.program.stream());
  return sample_behind(subject, count, [&](int i) { flush.enqueue(i); });
}

std::vector<double> sample_rotating(const ProtocolSubject& subject, int count) {
  CapturedProgram& captured = subject.program;
  const Program& program = captured.program();
  std::vector<std::vector<DeviceBuffer>> inputs(kInputs);
  for (int set = 0; set < kInputs; ++set)
    for (std::size_t i = 0; i < program.inputs.size(); ++i) {
      const View& view = program.inputs[i];
      if (!captured.reaches(view))
        throw Error("'rotating': an input lies on a GPU whose memory the first one cannot access");
      const Tensor tensor = random_tensor(view.region.images.size(), shape_of(program, view),
                                          static_cast<std::uint64_t>(set) * program.inputs.size() + i + 1);
      const std::size_t bytes = tensor.data.size() * sizeof(float);
      DeviceBuffer& buffer = inputs[set].emplace_back(bytes);
      OPSCHED_CUDA(cudaMemcpy(buffer.data(), tensor.data.data(), bytes, cudaMemcpyHostToDevice));
    }
  OPSCHED_CUDA(cudaDeviceSynchronize());  // copies from pageable memory may return before they have landed
  return sample_behind(subject, count, [&](int turn) {
    const std::vector<DeviceBuffer>& set = inputs[turn % kInputs];
    for (std::size_t i = 0; i < set.size(); ++i)
      enqueue_from_dense(reinterpret_cast<const float*>(set[i].data()), captured.slice(program.inputs[i]),
                         captured.stream());
  });
}

std::vector<double> sample_lone(const ProtocolSubject& subject, int count) {
  const cudaStream_t stream = subject.program.stream();
  return host_samples(
      count, [&](int) { subject.devices.front()->clocks().sample(); },
      [&] {
        launch(subject.program, stream);
        OPSCHED_CUDA(cudaStreamSynchronize(stream));
      });
}

std::vector<double> sample_in_flight(const ProtocolSubject& subject, int count, int in_flight) {
  std::vector<std::unique_ptr<CapturedProgram>> more;
  std::vector<const CapturedProgram*> programs = {&subject.program};
  for (int i = 1; i < in_flight; ++i) programs.push_back(more.emplace_back(subject.another()).get());
  subject.devices.front()->activate();
  std::vector<Stream> streams;
  for (int i = 0; i < in_flight; ++i) streams.push_back(make_stream());
  const auto rounds = [&] {
    for (int round = 0; round < kRounds; ++round)
      for (std::size_t i = 0; i < programs.size(); ++i) launch(*programs[i], streams[i].get());
    subject.devices.front()->clocks().sample();
    for (const Stream& stream : streams) OPSCHED_CUDA(cudaStreamSynchronize(stream.get()));
  };
  rounds();  // the first replays of a graph are slower
  std::vector<double> ms = host_samples(count, {}, rounds);
  for (double& each : ms) each /= kRounds * in_flight;
  return ms;
}

std::vector<double> sample_energy(const ProtocolSubject& subject, int count) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::string> ids;
  for (const DeviceContext* device : subject.devices) {
    char text[32] = "";
    OPSCHED_CUDA(cudaDeviceGetPCIBusId(text, sizeof text, device->gpu()));
    ids.emplace_back(text);
  }
  const EnergyMeter meter(ids);
  std::vector<double> millijoules;
  for (int i = 0; i < count; ++i) {
    const double before = meter.millijoules();
    const Clock::time_point start = Clock::now();
    int runs = 0;
    do runs += static_cast<int>(subject.burst(100).size());
    while (std::chrono::duration<double>(Clock::now() - start).count() < kEnergySeconds);
    millijoules.push_back((meter.millijoules() - before) / runs);
  }
  return millijoules;
}

}  // namespace

std::vector<double> sample_protocol(const Protocol& protocol, const ProtocolSubject& subject) {
  using Kind = Protocol::Kind;
  const int count = protocol.samples();
  subject.devices.front()->activate();
  subject.devices.front()->clocks().start();
  switch (protocol.kind) {
    case Kind::replays:
      return subject.burst(count);
    case Kind::lone:
      return sample_lone(subject, count);
    case Kind::cold:
      return sample_cold(subject, count);
    case Kind::rotating:
      return sample_rotating(subject, count);
    case Kind::in_flight:
      return sample_in_flight(subject, count, protocol.in_flight);
    case Kind::energy:
      return sample_energy(subject, count);
    case Kind::burst:
      break;
  }
  throw Error("'burst' runs until its median is known well: Executor::measure");
}

}  // namespace opsched
