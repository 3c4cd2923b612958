#include <algorithm>

#include "core/error.hpp"
#include "networks/wiring.hpp"

namespace opsched {
namespace {

// Own distributions, because the standard ones differ between libraries.
double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

std::size_t below(std::size_t n, std::mt19937_64& random) {
  const std::uint64_t limit = std::mt19937_64::max() / n * n;
  std::uint64_t x = random();
  while (x >= limit) x = random();
  return x % n;
}

}  // namespace

Wiring watts_strogatz(int nodes, int neighbours, double rewire, std::mt19937_64& random) {
  if (neighbours < 2 || neighbours % 2 != 0 || neighbours >= nodes || !(rewire >= 0 && rewire <= 1))
    throw Error(
        "Watts-Strogatz graph: needs an even number of neighbours below the number of nodes, and a "
        "probability; got WS(" +
        std::to_string(nodes) + ", " + std::to_string(neighbours) + ", " + std::to_string(rewire) + ")");
  std::vector<std::vector<char>> joined(nodes, std::vector<char>(nodes, 0));
  const auto set = [&](int a, int b, char on) { joined[a][b] = joined[b][a] = on; };
  for (int i = 0; i < nodes; ++i)
    for (int j = 1; j <= neighbours / 2; ++j) set(i, (i + j) % nodes, 1);

  for (int j = 1; j <= neighbours / 2; ++j) {
    for (int i = 0; i < nodes; ++i) {
      if (uniform(random) >= rewire) continue;
      std::vector<int> free;
      for (int v = 0; v < nodes; ++v)
        if (v != i && !joined[i][v]) free.push_back(v);
      if (free.empty()) continue;
      set(i, (i + j) % nodes, 0);
      set(i, free[below(free.size(), random)], 1);
    }
  }

  Wiring wiring{.nodes = nodes, .edges = {}};
  for (int a = 0; a < nodes; ++a)
    for (int b = a + 1; b < nodes; ++b)
      if (joined[a][b]) wiring.edges.emplace_back(a, b);
  return wiring;
}

}  // namespace opsched
