#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

#include "core/error.hpp"
#include "core/files.hpp"
#include "networks/wiring.hpp"

namespace opsched {
namespace {

constexpr int max_nodes = 100'000, max_edges = 1'000'000;

/// Reads the file. Throws Error if there is none or it is too large for an edge list.
std::string text_of(const std::string& path) {
  try {
    return read_file(path, std::int64_t{64} << 20);
  } catch (const Error& e) {
    throw Error("edge list '" + path + "': " + e.what());
  }
}

/// Reads a file line by line and reports errors with their line.
class EdgeListLines {
 public:
  explicit EdgeListLines(const std::string& path) : path_(path), in_(text_of(path)) {}
  /// Goes to the next non-blank line; false at the end.
  bool next() {
    while (std::getline(in_, text_)) {
      ++number_;
      if (text_.find_first_not_of(" \t\r") != std::string::npos) return true;
    }
    return false;
  }
  /// The line's `count` integers.
  std::vector<int> integers(std::size_t count, const std::string& what) const {
    std::vector<int> values;
    const char *at = text_.data(), *end = at + text_.size();
    for (;;) {
      while (at != end && (*at == ' ' || *at == '\t' || *at == '\r')) ++at;
      if (at == end) break;
      int value = 0;
      const auto [rest, error] = std::from_chars(at, end, value);
      if (error != std::errc{} || (rest != end && *rest != ' ' && *rest != '\t' && *rest != '\r')) fail("not " + what);
      values.push_back(value);
      at = rest;
    }
    if (values.size() != count) fail("not " + what);
    return values;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error("edge list '" + path_ + "', line " + std::to_string(number_) + ": " + what +
                (text_.size() < 80 ? ": '" + text_ + "'" : ""));
  }

 private:
  std::string path_;
  std::istringstream in_;
  std::string text_;
  int number_ = 0;
};

}  // namespace

Wiring read_edge_list(const std::string& path) {
  EdgeListLines lines(path);
  const auto header = [&](const std::string& what, int least, int most) {
    if (!lines.next()) throw Error("edge list '" + path + "': ends before " + what);
    const int value = lines.integers(1, what).front();
    if (value < least || value > most)
      lines.fail(what + " must be between " + std::to_string(least) + " and " + std::to_string(most));
    return value;
  };
  Wiring wiring{.nodes = header("the number of nodes", 1, max_nodes), .edges = {}};
  const int edges = header("the number of edges", 0, max_edges);
  while (lines.next()) {
    const auto edge = lines.integers(2, "an edge 'from to'");
    for (int node : edge)
      if (node < 0 || node >= wiring.nodes)
        lines.fail("node " + std::to_string(node) + " is not one of the " + std::to_string(wiring.nodes) + " nodes");
    if (edge[0] == edge[1]) lines.fail("an edge from a node to itself");
    if (edge[0] > edge[1]) lines.fail("edges go from the lower to the higher index");
    if (static_cast<int>(wiring.edges.size()) == edges)
      lines.fail("more than the " + std::to_string(edges) + " edges that the second line says");
    wiring.edges.emplace_back(edge[0], edge[1]);
  }
  if (static_cast<int>(wiring.edges.size()) != edges)
    throw Error("edge list '" + path + "': has " + std::to_string(wiring.edges.size()) +
                " edges, but its second line says " + std::to_string(edges));
  auto sorted = wiring.edges;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
    const auto again = std::find(std::ranges::find(wiring.edges, *twice) + 1, wiring.edges.end(), *twice);
    throw Error("edge list '" + path + "': edge " + std::to_string(twice->first) + " " + std::to_string(twice->second) +
                " is there twice, again as edge number " + std::to_string(again - wiring.edges.begin() + 1));
  }
  wiring.edges = std::move(sorted);
  return wiring;
}

}  // namespace opsched
