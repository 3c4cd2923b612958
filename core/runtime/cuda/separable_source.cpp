// The project's separable convolutions as kernels of the library.
#include "core/error.hpp"
#include "core/runtime/cuda/kernel_sources.hpp"
#include "core/runtime/cuda/separable.hpp"

namespace opsched {
namespace {

native::SeparableGeometry geometry_of(const Problem& problem) {
  const auto& depthwise = std::get<Conv2d>(problem.layer);
  native::SeparableGeometry g;
  g.window = window_of(problem, depthwise);
  g.outputs = problem.output.c;
  g.precision = problem.precision;
  g.pre = problem.pre;
  g.middle = depthwise.act;
  g.post = problem.pointwise->act;
  return g;
}

bool possible(const Problem& problem) {
  return problem.kind == Step::Kind::separable && problem.layout == Layout::nhwc &&
         problem.inputs.size() <= native::kMaxSources && native::supports(geometry_of(problem)) &&
         problem.batch * problem.input.size() < std::int64_t{1} << 31;
}

class OwnSeparable : public Kernel {
 public:
  OwnSeparable(const Problem& problem, std::string name, const native::SeparableTile& tile,
               const native::SeparablePlan& plan)
      : problem_(problem), name_(std::move(name)), geometry_(geometry_of(problem)), tile_(tile), plan_(plan) {
    vector_ = source_alignment(problem) / element_bytes(problem.precision);
    while (problem.input.c % vector_ != 0) vector_ /= 2;
    weight_bytes_ = native::separable_weight_bytes(geometry_);
  }
  std::vector<std::byte> pack(std::span<const ConvWeights> weights) const override {
    return native::pack_separable(geometry_, weights[0], weights[1]);
  }
  void launch(cudaStream_t stream, std::span<const void* const> inputs, void* output, const void* weights,
              void*) const override {
    const bool wide = row_alignment(problem_.result, problem_) >= 4 * element_bytes(problem_.precision);
    native::separable(stream, geometry_, tile_, plan_, vector_, wide, sources_of(problem_, inputs), weights, output,
                      free_stride(problem_.result, problem_.layout));
  }
  std::string describe() const override { return name_; }
  std::string weight_format() const override { return "separable"; }

 private:
  Problem problem_;
  std::string name_;
  native::SeparableGeometry geometry_;
  native::SeparableTile tile_;
  native::SeparablePlan plan_;
  int vector_ = 1;
};

}  // namespace

std::vector<std::string> list_separable(const Problem& problem, const KernelSite& site, bool all) {
  std::vector<std::string> names;
  if (!possible(problem)) return names;
  const native::SeparableGeometry g = geometry_of(problem);
  for (const auto& tile : all ? native::separable_tiles(g, site.clusters, site.shared_bytes)
                              : native::promising_tiles(g, site.multiprocessors, site.clusters, site.shared_bytes))
    names.push_back("separable/p" + std::to_string(tile.pixels) + "/c" + std::to_string(tile.channels) + "/s" +
                    std::to_string(tile.splits));
  return names;
}

std::unique_ptr<Kernel> build_separable(const Problem& problem, const std::string& name, const KernelSite& site) {
  const auto parts = split_name(name);
  if (possible(problem) && parts.size() == 4 && parts[0] == "separable") {
    const native::SeparableTile tile{name_number(parts[1], 'p'), name_number(parts[2], 'c'),
                                     name_number(parts[3], 's')};
    if (const auto plan = native::plan_separable(geometry_of(problem), tile, site.shared_bytes))
      return std::make_unique<OwnSeparable>(problem, name, tile, *plan);
  }
  throw Error("there is no kernel '" + name + "' for " + problem.key());
}

}  // namespace opsched
