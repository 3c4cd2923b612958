#include "core/cost/conv_sums.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/graph/algorithms.hpp"

namespace opsched {
namespace {

/// Is the last layer a convolution, perhaps with an activation, and not a depthwise one?
bool ends_in_conv(const Operator& op) {
  bool conv = false;
  int activations = 0;  // behind the last other layer
  Shape shape = op.input;
  for (const Layer& layer : op.layers) {
    if (std::holds_alternative<Activate>(layer)) {
      ++activations;
    } else {
      conv = std::holds_alternative<Conv2d>(layer) && !is_depthwise(layer, shape);
      activations = 0;
    }
    shape = infer_shape(layer, shape);
  }
  return conv && activations <= 1;
}

/// Does it do nothing but add, join and apply an activation?
bool only_adds(const Operator& op) {
  return op.is_unit() && !op.is_product() &&
         std::ranges::all_of(op.layers, [](const Layer& layer) { return std::holds_alternative<Activate>(layer); });
}

class Finder {
 public:
  explicit Finder(const Graph& graph) : graph_(graph), above_(ancestors(to_dag(graph))) {}

  std::optional<ConvSum> find(OpId op) const {
    ConvSum sum{.op = op, .terms = {}};
    for (const Term& term : graph_.op(op).terms) {
      if (term.size() == 1) continue;
      std::vector<ConvSum::Way> ways;
      if (term.size() == 2)
        for (const auto& [own, other] : {std::pair{term[0], term[1]}, std::pair{term[1], term[0]}})
          if (std::vector<OpId> convs = convs_of(op, own); !convs.empty())
            ways.push_back({std::move(convs), residuals(op, other)});
      if (ways.empty()) return {};
      sum.terms.push_back(std::move(ways));
    }
    if (sum.terms.empty()) return {};
    return sum;
  }

 private:
  bool is_read_whole_by_only(OpId op, const Value& value, OpId reader) const {
    return value.begin == 0 && value.end == graph_.op(op).output.c && graph_.succs(op).size() == 1 &&
           graph_.succs(op).front() == reader;
  }

  /// The convolutions that write a value, if nothing but `reader` reads it; joins between them are done in place.
  std::vector<OpId> convs_of(OpId reader, const Value& value) const {
    if (!is_read_whole_by_only(value.op, value, reader)) return {};
    const Operator& op = graph_.op(value.op);
    if (ends_in_conv(op)) return {value.op};
    if (!op.is_join()) return {};
    std::vector<OpId> convs;
    for (const Term& term : op.terms) {
      if (term.size() > 1) return {};
      const std::vector<OpId> more = convs_of(value.op, term.front());
      if (more.empty()) return {};
      convs.insert(convs.end(), more.begin(), more.end());
    }
    return convs;
  }

  std::vector<ConvSum::Residual> residuals(OpId reader, const Value& value) const {
    std::vector<ConvSum::Residual> found;
    for (OpId op : graph_.producers(graph_.op(reader), value)) {
      if (!graph_.op(op).is_unit()) continue;
      boost::dynamic_bitset<> from(graph_.size());
      for (OpId other = 0; other < graph_.size(); ++other) from[other] = other == op || above_[other].test(op);
      found.push_back({op, std::move(from)});
    }
    return found;
  }

  const Graph& graph_;
  std::vector<boost::dynamic_bitset<>> above_;
};

}  // namespace

std::vector<ConvSum> conv_sums(const Graph& graph) {
  std::vector<ConvSum> sums;
  const Finder finder(graph);
  for (OpId op : graph.units())
    if (only_adds(graph.op(op)))
      if (std::optional<ConvSum> sum = finder.find(op)) sums.push_back(std::move(*sum));
  return sums;
}

}  // namespace opsched
