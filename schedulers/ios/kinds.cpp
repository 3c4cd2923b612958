#include "schedulers/ios/kinds.hpp"

#include <unordered_map>

#include "core/cost/signature/stage_kind.hpp"

namespace opsched {
namespace {

/// Hashes a stage with the same groups as make_stage.
class Hasher {
 public:
  Hasher(const IosSpace& space, int batch, std::span<const std::uint64_t> hashes)
      : space_(space), batch_(batch), hashes_(hashes), place_(hashes.size(), -1) {}

  std::uint64_t operator()(int stage) {
    vertices_.clear();
    space_.each_vertex(stage, [&](int v) { vertices_.push_back(v); });
    const int size = static_cast<int>(vertices_.size());
    if (space_.strategy(stage) == Strategy::merge && size > 1) {
      KindHash hash(batch_, Strategy::merge);
      for (int v : vertices_) hash.add(hashes_[v]);
      return hash.value();
    }
    // Components as linked lists through next_; a component's label is its first vertex.
    label_.resize(size);
    for (int i = 0; i < size; ++i) {
      label_[i] = i;
      place_[vertices_[i]] = i;
    }
    for (int i = 0; i < size; ++i)
      for (int s : space_.part().succs[vertices_[i]]) {
        const int j = place_[s];
        if (j < 0 || label_[j] == label_[i]) continue;
        const int keep = std::min(label_[i], label_[j]), drop = std::max(label_[i], label_[j]);
        for (int& l : label_)
          if (l == drop) l = keep;
      }
    for (int v : vertices_) place_[v] = -1;
    KindHash hash(batch_, Strategy::concurrent);
    for (int i = 0; i < size; ++i) {
      if (label_[i] != i) continue;
      for (int j = i; j < size; ++j)
        if (label_[j] == i) hash.add(hashes_[vertices_[j]]);
      hash.end_group();
    }
    return hash.value();
  }

 private:
  const IosSpace& space_;
  int batch_;
  std::span<const std::uint64_t> hashes_;
  std::vector<int> place_, vertices_, label_;
};

}  // namespace

IosKinds::IosKinds(const IosSpace& space, int batch, std::span<const std::uint64_t> hashes) : kind_(space.stages()) {
  Hasher hash_of(space, batch, hashes);
  std::unordered_map<std::uint64_t, int> numbers;
  for (int stage = 0; stage < space.stages(); ++stage) {
    const std::uint64_t hash = hash_of(stage);
    const auto [it, fresh] = numbers.try_emplace(hash, size());
    if (fresh) hashes_.push_back(hash);
    kind_[stage] = it->second;
  }
  first_.assign(hashes_.size() + 1, 0);
  for (int kind : kind_) ++first_[kind + 1];
  for (std::size_t k = 0; k < hashes_.size(); ++k) first_[k + 1] += first_[k];
  std::vector<std::size_t> next(first_.begin(), first_.end() - 1);
  stages_.resize(kind_.size());
  for (int stage = 0; stage < space.stages(); ++stage) stages_[next[kind_[stage]]++] = stage;
}

}  // namespace opsched
