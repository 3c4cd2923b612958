// Random networks in which many sums add a tensor to the output of a convolution.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/support/random_cnn.hpp"

namespace opsched::test {

/// Residual blocks, fire modules and cells that join sums; some sums read what others read as well, or have three
/// summands, or are part of an operator with layers.
class RandomResiduals {
 public:
  /// Outputs have multiples of `width` channels.
  explicit RandomResiduals(std::uint64_t seed, int width = 1)
      : random_(seed), unit_(width), graph_("random residuals", 1 + random_.below(2)) {}

  Graph draw(int blocks) {
    Term x = conv(graph_.all(graph_.add_input("in", {3, 6 + random_.below(3), 6 + random_.below(3)})), width());
    for (int b = 0; b < blocks; ++b) {
      switch (random_.below(4)) {
        case 0:
          x = fire(x);
          break;
        case 1:
          x = cell(x);
          break;
        default:
          x = residual(x);
      }
      graph_.end_block("block" + std::to_string(b));
    }
    return graph_;
  }

 private:
  int width() { return unit_ * (1 + random_.below(4)); }
  static int channels(const Term& term) { return term.front().channels(); }
  Activation some_activation() {
    return random_.chance(50) ? Activation::none : random_.chance(70) ? Activation::relu : Activation::tanh;
  }

  Term add(std::vector<Term> terms, std::vector<Layer> layers) {
    return graph_.all(graph_.add("op" + std::to_string(graph_.size()), std::move(terms), std::move(layers)));
  }

  Term conv(const Term& x, int out) {
    const int kernel = random_.chance(60) ? 1 : 3;
    const bool grouped = random_.chance(15) && channels(x) % 2 == 0 && out % 2 == 0;
    return add({x}, {Conv2d{.out_channels = out,
                            .kernel = {kernel, kernel},
                            .padding = {kernel / 2, kernel / 2},
                            .groups = grouped ? 2 : 1,
                            .act = some_activation()}});
  }

  /// Something with as many channels as wanted; mostly a convolution.
  Term branch(const Term& x, int out) {
    if (random_.chance(80)) return random_.chance(30) ? conv(conv(x, width()), out) : conv(x, out);
    if (channels(x) != out) return conv(x, out);
    if (random_.chance(50)) return add({x}, {Pool2d{.type = PoolType::avg, .kernel = {3, 3}, .padding = {1, 1}}});
    return add({x}, {Conv2d{.out_channels = out, .kernel = {3, 3}, .padding = {1, 1}, .groups = out}});
  }

  Term plus(const Term& a, const Term& b) { return random_.chance(50) ? Term{a[0], b[0]} : Term{b[0], a[0]}; }

  /// A sum as an operator of its own, or as the input of a convolution.
  Term summed(Term sum) {
    if (random_.chance(15)) return add({sum}, {Activate{}, Conv2d{.out_channels = width()}});
    const Activation act = some_activation();
    return add({sum}, act == Activation::none ? std::vector<Layer>{} : std::vector<Layer>{Activate{act}});
  }

  Term residual(const Term& x) {
    const Term main = branch(x, channels(x));
    Term sum = plus(main, random_.chance(60) ? x : branch(x, channels(x)));
    if (random_.chance(10)) sum.push_back(x[0]);
    const Term out = summed(sum);
    if (random_.chance(15)) conv(main, width());  // reads it too
    return out;
  }

  /// Two convolutions side by side, and another tensor added to both of them at once or to each of them.
  Term fire(const Term& x) {
    const int half = width();
    const Term left = conv(x, half), right = conv(x, half), bypass = branch(x, 2 * half);
    if (random_.chance(50)) return summed(plus(add({left, right}, {}), bypass));
    const OpId op = bypass[0].op;
    return add({{left[0], {op, 0, half}}, {{op, half, 2 * half}, right[0]}}, {});
  }

  Term cell(const Term& x) {
    const int c = width();
    std::vector<Term> states = {conv(x, c), conv(x, c)}, sums;
    for (int i = 0, n = 1 + random_.below(3); i < n; ++i) {
      const Term a = branch(random_.pick(states), c);
      sums.push_back(plus(a, random_.chance(50) ? random_.pick(states) : branch(random_.pick(states), c)));
      if (random_.chance(30)) states.push_back(add({sums.back()}, {}));
    }
    return add(sums, {});
  }

  Random random_;
  int unit_;
  Graph graph_;
};

}  // namespace opsched::test
