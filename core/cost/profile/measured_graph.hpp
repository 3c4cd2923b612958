// The graph whose stages a profile holds.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/cost/conv_sums.hpp"
#include "core/cost/profile/profile.hpp"
#include "core/graph/graph.hpp"

namespace opsched {

/// In the version of the kernels of a profile that was measured without early ReLU on purpose: "15 late-relu".
inline constexpr const char* kLateRelu = "late-relu";

/// Do kernels of this version run graphs with early ReLU (core/graph/early_relu.hpp)? They do since version 15.
bool runs_early_relu(const std::string& kernels);

/// Do convolutions of this version add residuals (core/runtime/program/fuse_sums.hpp)? They do since version 16.
bool adds_residuals(const std::string& kernels);

/// The graph as the device of the profile runs it: with early ReLU, or as it is. It may be `graph` itself, which must
/// then outlive it.
std::shared_ptr<const Graph> measured_graph(const Graph& graph, const Profile& profile);

/// The sums of such a graph that convolutions of the profile's device do, if the schedule lets them.
std::vector<ConvSum> measured_sums(const Graph& as_run, const Profile& profile);

}  // namespace opsched
