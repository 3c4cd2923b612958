// Sets of vertices as bit sets of one or two words, or any size. They share an interface, so the search is written
// once.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace opsched {

/// `Words` is a container of 64-bit words: an array (the size in its type) or a vector.
template <class Words>
class BitSet {
 public:
  explicit BitSet(int size) {
    if constexpr (requires { words_.resize(1); }) words_.resize((size + 63) / 64);
  }
  BitSet() = default;

  bool test(int i) const { return words_[i / 64] >> (i % 64) & 1; }
  void set(int i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
  void reset(int i) { words_[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }

  bool none() const {
    for (std::uint64_t w : words_)
      if (w) return false;
    return true;
  }
  int count() const {
    int n = 0;
    for (std::uint64_t w : words_) n += std::popcount(w);
    return n;
  }
  /// Smallest and largest member of a non-empty set.
  int lowest() const {
    std::size_t i = 0;
    while (!words_[i]) ++i;
    return static_cast<int>(i) * 64 + std::countr_zero(words_[i]);
  }
  int highest() const {
    std::size_t i = words_.size() - 1;
    while (!words_[i]) --i;
    return static_cast<int>(i) * 64 + 63 - std::countl_zero(words_[i]);
  }

  BitSet& operator|=(const BitSet& o) {
    return combine(o, [](auto a, auto b) { return a | b; });
  }
  BitSet& operator&=(const BitSet& o) {
    return combine(o, [](auto a, auto b) { return a & b; });
  }
  /// Set difference.
  BitSet& operator-=(const BitSet& o) {
    return combine(o, [](auto a, auto b) { return a & ~b; });
  }
  friend BitSet operator|(BitSet a, const BitSet& b) { return a |= b; }
  friend BitSet operator&(BitSet a, const BitSet& b) { return a &= b; }
  friend BitSet operator-(BitSet a, const BitSet& b) { return a -= b; }
  bool operator==(const BitSet&) const = default;

  bool meets(const BitSet& o) const {
    for (std::size_t i = 0; i < words_.size(); ++i)
      if (words_[i] & o.words_[i]) return true;
    return false;
  }
  bool within(const BitSet& o) const {
    for (std::size_t i = 0; i < words_.size(); ++i)
      if (words_[i] & ~o.words_[i]) return false;
    return true;
  }

  /// Calls f(member), ascending.
  template <class F>
  void each(F&& f) const {
    for (std::size_t i = 0; i < words_.size(); ++i)
      for (std::uint64_t w = words_[i]; w; w &= w - 1) f(static_cast<int>(i) * 64 + std::countr_zero(w));
  }
  const Words& words() const { return words_; }

 private:
  template <class F>
  BitSet& combine(const BitSet& o, F f) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] = f(words_[i], o.words_[i]);
    return *this;
  }
  Words words_{};
};

using Bits64 = BitSet<std::array<std::uint64_t, 1>>;
using Bits128 = BitSet<std::array<std::uint64_t, 2>>;
using BitsAny = BitSet<std::vector<std::uint64_t>>;

}  // namespace opsched
