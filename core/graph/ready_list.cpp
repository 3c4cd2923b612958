#include "core/graph/ready_list.hpp"

#include <algorithm>
#include <utility>

namespace opsched {

ReadyList::ReadyList(std::vector<std::vector<int>> succs) : succs_(std::move(succs)), waiting_(succs_.size(), 0) {
  for (const std::vector<int>& readers : succs_)
    for (const int reader : readers) ++waiting_[reader];
  for (int v = 0; v < static_cast<int>(waiting_.size()); ++v)
    if (waiting_[v] == 0) ready_.push_back(v);
}

ReadyList::ReadyList(const Graph& graph) : succs_(graph.size()), waiting_(graph.size(), 0) {
  for (const OpId op : graph.units()) {
    succs_[op].assign(graph.succs(op).begin(), graph.succs(op).end());
    for (const OpId p : graph.preds(op)) waiting_[op] += graph.op(p).is_input() ? 0 : 1;
    if (waiting_[op] == 0) ready_.push_back(op);
  }
}

void ReadyList::finish(const std::vector<int>& done) {
  for (const int v : done) std::erase(ready_, v);
  for (const int v : done)
    for (const int reader : succs_[v])
      if (--waiting_[reader] == 0) ready_.insert(std::ranges::upper_bound(ready_, reader), reader);
}

int ReadyList::take_first() {
  const int first = ready_.front();
  finish({first});
  return first;
}

}  // namespace opsched
