#include "schedulers/ios/space.hpp"

#include <algorithm>

#include "schedulers/ios/explore.hpp"

namespace opsched {
/// The sink of explore().
class SpaceBuilder {
 public:
  explicit SpaceBuilder(IosSpace& space) : space_(space) {}

  void state(std::uint32_t id) { space_.transitions_.add_state(id); }
  void transition(std::uint32_t to, std::uint32_t stage, Strategy, int) { space_.transitions_.add(to, stage); }
  template <class Words>
  void stage(const Words& words, std::uint32_t id, Strategy strategy) {
    if (id >= space_.strategies_.size()) {
      space_.strategies_.resize(id + 1);
      space_.sets_.resize((id + 1) * words.size());
    }
    space_.strategies_[id] = strategy;
    std::ranges::copy(words, space_.sets_.begin() + static_cast<std::ptrdiff_t>(id * words.size()));
  }

 private:
  IosSpace& space_;
};

IosSpace::IosSpace(IosPart part, const IosOptions& options) : part_(std::move(part)) {
  SpaceBuilder builder(*this);
  explore_part(part_, options, builder);
  words_ = sets_.size() / strategies_.size();
}

std::vector<int> IosSpace::vertices(int stage) const {
  std::vector<int> list;
  each_vertex(stage, [&](int v) { list.push_back(v); });
  return list;
}

}  // namespace opsched
