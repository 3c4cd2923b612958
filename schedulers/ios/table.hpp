// An open-addressing hash table from bit sets to numbers.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "schedulers/ios/bits.hpp"

namespace opsched {

/// Hash values of sets are exclusive-ors of one random word per member, so the hash of a difference or disjoint union
/// is the exclusive-or of two hashes.
class SetHash {
 public:
  explicit SetHash(int size) : words_(size) {
    std::uint64_t seed = 0;
    for (std::uint64_t& w : words_) {  // splitmix64
      std::uint64_t z = seed += 0x9e3779b97f4a7c15;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      w = z ^ (z >> 31);
    }
  }
  std::uint64_t operator[](int vertex) const { return words_[vertex]; }
  template <class Bits>
  std::uint64_t of(const Bits& set) const {
    std::uint64_t h = 0;
    set.each([&](int v) { h ^= words_[v]; });
    return h;
  }

 private:
  std::vector<std::uint64_t> words_;
};

template <class Bits>
class SetTable {
 public:
  SetTable() : slots_(64) {}

  /// The number of the set: its existing number, or `number` if it is new.
  std::uint32_t add(const Bits& set, std::uint64_t hash, std::uint32_t number) {
    const auto tag = static_cast<std::uint32_t>(hash);
    std::size_t at = tag & (slots_.size() - 1);
    while (slots_[at].number != kEmpty) {
      if (slots_[at].set == set) return slots_[at].number;
      at = (at + 1) & (slots_.size() - 1);
    }
    slots_[at] = {set, number, tag};
    if (2 * ++size_ > slots_.size()) grow();
    return number;
  }
  /// Prefetches the slot of a set before add(), because large tables miss every cache.
  void prefetch(std::uint64_t hash) const {
    __builtin_prefetch(&slots_[static_cast<std::uint32_t>(hash) & (slots_.size() - 1)]);
  }

  /// Calls f(set, number), in arbitrary order.
  template <class F>
  void each(F&& f) const {
    for (const Slot& slot : slots_)
      if (slot.number != kEmpty) f(slot.set, slot.number);
  }

 private:
  static constexpr std::uint32_t kEmpty = 0xffffffff;
  struct Slot {
    Bits set;
    std::uint32_t number = kEmpty;
    std::uint32_t tag = 0;  ///< low half of the hash
  };

  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (Slot& slot : old) {
      if (slot.number == kEmpty) continue;
      std::size_t at = slot.tag & (slots_.size() - 1);
      while (slots_[at].number != kEmpty) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = std::move(slot);
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace opsched
