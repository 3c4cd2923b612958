// A replayed device that claims to measure, until it is told to fail.
#pragma once

#include <functional>
#include <memory>

#include "experiments/device/device.hpp"

namespace opsched::test {

/// Appears to measure. `before_run(n)` is called before request number n for latencies, counting from 1. What it throws
/// is passed on, like an error of a GPU.
class FailingDevice : public Device {
 public:
  FailingDevice(const std::string& profile, std::function<void(int)> before_run)
      : inner_(open_recorded({.profile = profile})), before_run_(std::move(before_run)) {}

  const DeviceFacts& facts() const override { return inner_->facts(); }
  std::string replayed() const override { return {}; }
  std::string name() const override { return inner_->name(); }
  std::string profile_folder() const override { return inner_->profile_folder(); }
  std::string cost_key(Precision precision) override { return inner_->cost_key(precision); }
  void open(Precision precision) override { inner_->open(precision); }
  void require(int gpus, Precision precision) override { inner_->require(gpus, precision); }
  std::unique_ptr<CostModel> costs(const Graph& graph, Precision precision) override {
    return inner_->costs(graph, precision);
  }
  std::unique_ptr<Executor> executor(CostModel& costs, const Schedule& schedule, Precision precision,
                                     std::uint64_t seed, Waits waits) override {
    return std::make_unique<FailingExecutor>(inner_->executor(costs, schedule, precision, seed, waits), *this);
  }
  void keep(CostModel&, const Schedule&, const records::Case&, const Measurement&) override {}
  std::unique_ptr<CoRunTuner> co_run_tuner(std::vector<CoRunSchedule> schedules, Precision precision) override {
    return inner_->co_run_tuner(std::move(schedules), precision);
  }
  void save() override {}

 private:
  class FailingExecutor final : public Executor {
   public:
    FailingExecutor(std::unique_ptr<Executor> inner, FailingDevice& device)
        : inner_(std::move(inner)), device_(device) {}
    std::vector<Tensor> run(const std::vector<Tensor>& inputs) override { return inner_->run(inputs); }
    std::vector<double> sample(int count) override {
      device_.before_run_(++device_.runs_);
      return std::vector<double>(static_cast<std::size_t>(count), inner_->sample(1).front());
    }
    Measurement measure(const MeasureOptions& options) override {
      device_.before_run_(++device_.runs_);
      return inner_->measure(options);
    }
    std::int64_t activation_bytes(int device) const override { return inner_->activation_bytes(device); }
    std::int64_t transfer_bytes() const override { return inner_->transfer_bytes(); }

   private:
    std::unique_ptr<Executor> inner_;
    FailingDevice& device_;
  };

  std::unique_ptr<Device> inner_;
  std::function<void(int)> before_run_;
  int runs_ = 0;
};

}  // namespace opsched::test
