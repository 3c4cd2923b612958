#include "core/runtime/cpu/cpu_executor.hpp"
#include "core/runtime/distributed/part_runtime.hpp"

namespace opsched {
namespace {

class CpuParts final : public PartRuntime {
 public:
  explicit CpuParts(ProcessGroup& processes) : processes_(processes) {}
  std::string name() const override { return "cpu"; }
  LoweringOptions lowering(const PartRequest& request) const override { return cpu_lowering(request.waits); }
  std::unique_ptr<Executor> make(const PartRequest& request, const ProgramPart& part) override {
    return make_cpu_executor(request.graph, part.program, request.seed, processes_);
  }

 private:
  ProcessGroup& processes_;
};

}  // namespace

std::unique_ptr<PartRuntime> make_cpu_parts(ProcessGroup& processes) { return std::make_unique<CpuParts>(processes); }

}  // namespace opsched
