// The stages of one part by kind (core/cost/signature/stage_kind.hpp).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schedulers/ios/space.hpp"

namespace opsched {

class IosKinds {
 public:
  /// `hashes`: an operator_hash a vertex.
  IosKinds(const IosSpace& space, int batch, std::span<const std::uint64_t> hashes);

  int size() const { return static_cast<int>(hashes_.size()); }
  int kind(int stage) const { return kind_[stage]; }
  std::uint64_t hash(int kind) const { return hashes_[kind]; }
  /// The stages of a kind, ascending; at least one.
  std::span<const int> stages(int kind) const {
    return std::span(stages_).subspan(first_[kind], first_[kind + 1] - first_[kind]);
  }
  int example(int kind) const { return stages_[first_[kind]]; }

 private:
  std::vector<int> kind_;  ///< by stage
  std::vector<std::uint64_t> hashes_;
  std::vector<std::size_t> first_;  ///< by kind, in stages_
  std::vector<int> stages_;
};

}  // namespace opsched
