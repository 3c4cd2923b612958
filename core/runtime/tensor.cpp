#include "core/runtime/tensor.hpp"

#include <cmath>
#include <limits>

#include "core/runtime/random.hpp"

namespace opsched {

double relative_error(const Tensor& a, const Tensor& b) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (a.n != b.n || a.shape != b.shape || a.data.size() != b.data.size()) return infinite;
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i) {
    const double d = double{a.data[i]} - b.data[i];
    difference += d * d;
    norm += double{b.data[i]} * b.data[i];
  }
  if (std::isnan(difference)) return infinite;
  if (difference == 0) return 0;
  return norm > 0 ? std::sqrt(difference / norm) : infinite;
}

Tensor random_tensor(int n, Shape shape, std::uint64_t seed) {
  Tensor tensor{n, shape, std::vector<float>(n * shape.size())};
  const std::uint64_t key = hash64(seed);
  for (std::size_t i = 0; i < tensor.data.size(); ++i) tensor.data[i] = normal(key, i);
  return tensor;
}

}  // namespace opsched
