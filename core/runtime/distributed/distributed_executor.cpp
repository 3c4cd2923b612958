#include "core/runtime/distributed/distributed_executor.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "core/error.hpp"
#include "core/runtime/distributed/process_part.hpp"
#include "core/statistics.hpp"
#include "core/text_table.hpp"

namespace opsched {
namespace {

// Orders. Except for kPrepare, their text begins with the number of a part.
const char* const kPrepare = "prepare";  // its text is a PartRequest
const char* const kRelease = "release";
const char* const kRun = "run";
const char* const kSample = "sample";           // and a number of samples
const char* const kSampleIdle = "sample idle";  // and a number of samples

std::string order_text(int part, int count = 0) { return std::to_string(part) + " " + std::to_string(count); }

struct PartOrder {
  int part = 0, count = 0;
  explicit PartOrder(const std::string& text) { std::istringstream(text) >> part >> count; }
};

class DistributedExecutor final : public Executor {
 public:
  DistributedExecutor(ProcessGroup& processes, PartRuntime& runtime, PartRequest request) : processes_(processes) {
    give_order(processes_, kPrepare, to_bytes(request));
    part_ = std::make_unique<ProcessPart>(processes_, runtime, std::move(request));
    number_ = std::stoi(processes_.gather({}).back());
  }
  ~DistributedExecutor() override {
    try {
      give_order(processes_, kRelease, order_text(number_));
    } catch (...) {  // a process has failed; the next call will report it
    }
  }

  std::vector<Tensor> run(const std::vector<Tensor>& inputs) override {
    if (inputs.size() != part_->whole().inputs.size())
      throw Error("the program has " + std::to_string(part_->whole().inputs.size()) + " inputs, not " +
                  std::to_string(inputs.size()));
    give_order(processes_, kRun, order_text(number_));
    return part_->run(inputs);
  }

  std::vector<double> sample(int count) override {
    if (!std::exchange(warm_, true)) sample_now(MeasureOptions{}.warmup);
    return sample_now(count);
  }

  Measurement measure(const MeasureOptions& options) override {
    constexpr int kAtOnce = 9;
    if (!std::exchange(warm_, true)) sample_now(std::max(1, options.warmup));
    Measurement latency = measure_until_stable([&] { return sample_now(kAtOnce); }, options);
    const Clocks seen = clocks();
    latency.sm_clock_mhz = seen.sm_mhz;
    latency.memory_clock_mhz = seen.memory_mhz;
    latency.throttled = seen.throttled;
    give_order(processes_, kSampleIdle, order_text(number_, 3 * kAtOnce));
    latency.note = std::to_string(processes_.size()) + " processes; of it " +
                   fixed(median(part_->sample_idle(3 * kAtOnce)), 4) + " ms close a round";
    return latency;
  }

  Clocks clocks() const override { return part_->executor().clocks(); }
  std::vector<KernelChoice> kernels() const override { return part_->kernels(); }
  std::int64_t activation_bytes(int device) const override { return part_->whole().arena_bytes.at(device); }
  std::int64_t transfer_bytes() const override {
    return opsched::transfer_bytes(part_->whole(), element_bytes(part_->request().precision));
  }

 private:
  std::vector<double> sample_now(int count) {
    give_order(processes_, kSample, order_text(number_, count));
    return part_->sample(count);
  }

  ProcessGroup& processes_;
  std::unique_ptr<ProcessPart> part_;
  int number_ = 0;  ///< number of the part in the other processes
  bool warm_ = false;
};

}  // namespace

std::unique_ptr<Executor> make_distributed_executor(ProcessGroup& processes, PartRuntime& runtime,
                                                    PartRequest request) {
  return std::make_unique<DistributedExecutor>(processes, runtime, std::move(request));
}

OrderHandlers part_handlers(ProcessGroup& processes,
                            const std::function<PartRuntime&(const PartRequest&)>& runtime_of) {
  const auto parts = std::make_shared<std::map<int, std::unique_ptr<ProcessPart>>>();
  const auto part = [parts](const PartOrder& order) -> ProcessPart& { return *parts->at(order.part); };
  OrderHandlers handlers;
  handlers[kPrepare] = [&processes, runtime_of, parts, next = 0](const std::string& text) mutable {
    PartRequest request = part_request_from(text);
    PartRuntime& runtime = runtime_of(request);
    std::unique_ptr<ProcessPart> made;
    try {
      made = std::make_unique<ProcessPart>(processes, runtime, std::move(request));
    } catch (const DeviceLost&) {
      throw;
    } catch (const Error&) {
      return;  // process 0 has received the reason
    }
    processes.gather(std::to_string(next));
    (*parts)[next++] = std::move(made);
  };
  handlers[kRelease] = [parts](const std::string& text) { parts->erase(PartOrder(text).part); };
  handlers[kRun] = [part](const std::string& text) { part(PartOrder(text)).run({}); };
  handlers[kSample] = [part](const std::string& text) {
    const PartOrder order(text);
    part(order).sample(order.count);
  };
  handlers[kSampleIdle] = [part](const std::string& text) {
    const PartOrder order(text);
    part(order).sample_idle(order.count);
  };
  return handlers;
}

}  // namespace opsched
