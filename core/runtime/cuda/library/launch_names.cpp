// Names of our convolutions in different launch styles: the style is the last part of the name.
#include <charconv>

#include "core/error.hpp"
#include "core/runtime/cuda/library/kernel_providers.hpp"

namespace opsched {
namespace {

const std::string kSpread = "spread", kLate = "late";

/// Blocks beyond an even spread that are worth a try. Larger numbers hardly limit anything at batch 1.
constexpr int kSpreads[] = {0, 1};

/// Name of a style; empty for the default.
std::string name_of(const LaunchStyle& style) {
  return style.late ? kLate : style.spread >= 0 ? kSpread + std::to_string(style.spread) : "";
}

LaunchStyle style_of(const std::string& name) {
  LaunchStyle style{.late = name == kLate};
  if (!style.late)
    std::from_chars(name.data() + std::min(kSpread.size(), name.size()), name.data() + name.size(), style.spread);
  if (name.empty() || name_of(style) != name) throw Error("'" + name + "' is not a launch style of a kernel");
  return style;
}

bool has_styles(std::string kernel) {
  for (const std::string& prefix : {kAddPrefix, kSumPrefix, kActPrefix})
    if (kernel.starts_with(prefix)) kernel.erase(0, prefix.size());
  return kernel.starts_with("simt/") || kernel.starts_with("mma/") || kernel.starts_with("patch/");
}

}  // namespace

StyledName split_style(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  const std::string last = slash == std::string::npos ? "" : name.substr(slash + 1);
  if (!last.starts_with(kSpread) && last != kLate) return {name, {}};
  return {name.substr(0, slash), style_of(last)};
}

std::vector<LaunchVariant> launch_variants(const std::string& kernel) {
  if (!has_styles(kernel)) return {};
  const auto [plain, current] = split_style(kernel);
  std::vector<LaunchStyle> styles{{}};
  for (const int spread : kSpreads) styles.push_back({.spread = spread});
  styles.push_back({.late = true});
  std::vector<LaunchVariant> variants;
  for (const LaunchStyle& style : styles) {
    if (style == current) continue;
    const std::string name = name_of(style);
    variants.push_back({.kernel = name.empty() ? plain : plain + "/" + name, .style = name});
  }
  return variants;
}

}  // namespace opsched
