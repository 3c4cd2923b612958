#include "core/cost/profile/measured_graph.hpp"

#include <charconv>

#include "core/graph/early_relu.hpp"

namespace opsched {

namespace {

/// 0 if unknown.
int version_of(const std::string& kernels) {
  int version = 0;
  std::from_chars(kernels.data(), kernels.data() + kernels.size(), version);
  return version;
}

}  // namespace

bool runs_early_relu(const std::string& kernels) { return version_of(kernels) >= 15 && !kernels.ends_with(kLateRelu); }

bool adds_residuals(const std::string& kernels) { return version_of(kernels) >= 16; }

std::shared_ptr<const Graph> measured_graph(const Graph& graph, const Profile& profile) {
  if (runs_early_relu(profile.device().kernels)) return with_early_relu(graph);
  return {std::shared_ptr<void>(), &graph};
}

std::vector<ConvSum> measured_sums(const Graph& as_run, const Profile& profile) {
  return adds_residuals(profile.device().kernels) ? conv_sums(as_run) : std::vector<ConvSum>{};
}

}  // namespace opsched
