#include "networks/dag_file.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/ready_list.hpp"

namespace opsched {
namespace {

/// Reads a text line by line, split into words; skips blank lines.
class Lines {
 public:
  Lines(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

  /// The words of the next line, which must be exactly `count` and hold `what`.
  const std::vector<std::string_view>& next(std::size_t count, const std::string& what) {
    if (!advance())
      throw Error(where_ + ":" + std::to_string(line_ + 1) + ": the file ends where " + what + " should come");
    if (words_.size() != count) fail("expected " + what + ", not '" + std::string(current_) + "'");
    return words_;
  }
  bool advance() {
    do {
      if (text_.empty()) return false;
      const std::size_t end = std::min(text_.find('\n'), text_.size());
      current_ = text_.substr(0, end);
      text_.remove_prefix(std::min(end + 1, text_.size()));
      ++line_;
      split();
    } while (words_.empty());
    return true;
  }
  int line() const { return line_; }
  [[noreturn]] void fail(const std::string& what) const { fail(line_, what); }
  [[noreturn]] void fail(int line, const std::string& what) const {
    throw Error(where_ + ":" + std::to_string(line) + ": " + what);
  }

  int integer(std::string_view word, int low, int high, const std::string& what) const {
    int value = 0;
    const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (status != std::errc() || end != word.data() + word.size() || value < low || value > high)
      fail(what + " must be a whole number from " + std::to_string(low) + " to " + std::to_string(high) + ", not '" +
           std::string(word) + "'");
    return value;
  }
  double number(std::string_view word, const std::string& what) const {
    double value = 0;
    const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (status != std::errc() || end != word.data() + word.size() || !std::isfinite(value) || value < 0)
      fail(what + " must be a non-negative number, not '" + std::string(word) + "'");
    return value;
  }

 private:
  void split() {
    constexpr std::string_view blank = " \t\r\v\f";
    words_.clear();
    for (std::size_t at = current_.find_first_not_of(blank); at != std::string_view::npos;) {
      const std::size_t end = std::min(current_.find_first_of(blank, at), current_.size());
      words_.push_back(current_.substr(at, end - at));
      at = current_.find_first_not_of(blank, end);
    }
  }

  std::string_view text_, current_;
  std::string where_;
  std::vector<std::string_view> words_;
  int line_ = 0;
};

/// Throws Error at the last line of a cycle, if there is one. `line_of`: by edge.
void check_acyclic(const WeightedDag& dag, const std::vector<int>& line_of, const Lines& lines) {
  const int n = dag.size();
  std::vector<std::vector<int>> succs(n);
  for (const auto& edge : dag.edges) succs[edge.from].push_back(edge.to);
  std::vector<bool> left(n, true);
  for (ReadyList ready(std::move(succs)); !ready.empty();) left[ready.take_first()] = false;
  const auto first_left = std::ranges::find(left, true);
  if (first_left == left.end()) return;

  // Every remaining vertex has an edge from another one: walk back until a vertex repeats.
  std::vector<int> entering(n, -1), seen(n, -1), walk;
  for (int e = 0; e < static_cast<int>(dag.edges.size()); ++e)
    if (left[dag.edges[e].from]) entering[dag.edges[e].to] = e;
  int v = static_cast<int>(first_left - left.begin());
  for (; seen[v] < 0; v = dag.edges[walk.back()].from) {
    seen[v] = static_cast<int>(walk.size());
    walk.push_back(entering[v]);
  }
  std::string names = std::to_string(v);
  int line = 0;
  for (std::size_t i = walk.size(); i-- > static_cast<std::size_t>(seen[v]);) {
    names += " -> " + std::to_string(dag.edges[walk[i]].to);
    line = std::max(line, line_of[walk[i]]);
  }
  lines.fail(line, "this edge closes a cycle: " + names);
}

void append(std::string& text, double value) {
  char digits[32];
  text.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace

WeightedDag parse_dag(const std::string& text, const std::string& where) {
  constexpr int limit = 10'000'000;  // far above any DAG, far below what would exhaust memory
  Lines lines(text, where);
  WeightedDag dag;
  dag.name = where;

  const int n = lines.integer(lines.next(1, "the number of operators")[0], 1, limit, "the number of operators");
  std::vector<int> operator_line(n, 0);
  dag.ms.resize(n);
  dag.utilisation.resize(n);
  for (int i = 0; i < n; ++i) {
    const auto& words = lines.next(3, "operator " + std::to_string(i + 1) + " of " + std::to_string(n) + " ('id t u')");
    const int id = lines.integer(words[0], 0, n - 1, "an operator's id");
    if (operator_line[id] > 0)
      lines.fail("operator " + std::to_string(id) + " was given in line " + std::to_string(operator_line[id]) +
                 " already");
    operator_line[id] = lines.line();
    dag.ms[id] = lines.number(words[1], "the latency of operator " + std::to_string(id));
    dag.utilisation[id] = lines.number(words[2], "the utilisation of operator " + std::to_string(id));
    if (!(dag.utilisation[id] > 0 && dag.utilisation[id] <= 1))
      lines.fail("the utilisation of operator " + std::to_string(id) + " must be above 0 and at most 1, not '" +
                 std::string(words[2]) + "'");
  }

  const int m = lines.integer(lines.next(1, "the number of edges")[0], 0, limit, "the number of edges");
  std::map<std::pair<int, int>, int> edge_line;
  std::vector<int> line_of;
  for (int i = 0; i < m; ++i) {
    const auto& words = lines.next(3, "edge " + std::to_string(i + 1) + " of " + std::to_string(m) + " ('a b w')");
    const int from = lines.integer(words[0], 0, n - 1, "an edge's first operator");
    const int to = lines.integer(words[1], 0, n - 1, "an edge's second operator");
    const auto [known, is_new] = edge_line.emplace(std::pair(from, to), lines.line());
    if (!is_new)
      lines.fail("edge " + std::to_string(from) + " -> " + std::to_string(to) + " was given in line " +
                 std::to_string(known->second) + " already");
    dag.edges.push_back(
        {from, to, lines.number(words[2], "the weight of edge " + std::to_string(from) + " -> " + std::to_string(to))});
    line_of.push_back(lines.line());
  }
  if (lines.advance()) lines.fail("the file goes on after its " + std::to_string(m) + " edges");
  check_acyclic(dag, line_of, lines);
  return dag;
}

WeightedDag read_dag(const std::string& path) {
  WeightedDag dag = parse_dag(read_file(path), path);
  dag.name = std::filesystem::path(path).stem().string();
  return dag;
}

std::string dag_text(const WeightedDag& dag) {
  std::string text = std::to_string(dag.size()) + "\n";
  for (int v = 0; v < dag.size(); ++v) {
    text += std::to_string(v) + " ";
    append(text, dag.ms[v]);
    text += " ";
    append(text, dag.utilisation[v]);
    text += "\n";
  }
  text += std::to_string(dag.edges.size()) + "\n";
  for (const auto& e : dag.edges) {
    text += std::to_string(e.from) + " " + std::to_string(e.to) + " ";
    append(text, e.ms);
    text += "\n";
  }
  return text;
}

void write_dag(const std::string& path, const WeightedDag& dag) { write_file_atomically(path, dag_text(dag)); }

}  // namespace opsched
