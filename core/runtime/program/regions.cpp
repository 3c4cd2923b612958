#include "core/runtime/program/regions.hpp"

#include <algorithm>

namespace opsched {

std::vector<Region> without(const Region& region, const std::vector<Region>& taken) {
  std::vector<Region> left{region};
  for (const Region& t : taken) {
    std::vector<Region> rest;
    for (const Region& r : left) {
      const Range images = common(r.images, t.images);
      const auto before = [](const Range& a, const Range& b) { return Range{a.begin, std::min(a.end, b.begin)}; };
      const auto after = [](const Range& a, const Range& b) { return Range{std::max(a.begin, b.end), a.end}; };
      for (const Region& piece : {Region{before(r.images, t.images), r.rows}, Region{after(r.images, t.images), r.rows},
                                  Region{images, before(r.rows, t.rows)}, Region{images, after(r.rows, t.rows)}})
        if (!piece.empty()) rest.push_back(piece);
    }
    left = std::move(rest);
  }
  return left;
}

}  // namespace opsched
