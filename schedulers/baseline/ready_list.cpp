#include "schedulers/baseline/ready_list.hpp"

#include <algorithm>

namespace opsched {

ReadyList::ReadyList(const Graph& graph) : graph_(graph) {
  for (OpId op = 0; op < graph.size(); ++op) {
    int waiting = 0;
    for (OpId p : graph.preds(op)) waiting += graph.op(p).is_input() ? 0 : 1;
    waiting_.push_back(waiting);
    if (waiting == 0 && !graph.op(op).is_input()) ops_.push_back(op);
  }
}

void ReadyList::finish(const std::vector<OpId>& done) {
  for (OpId op : done) std::erase(ops_, op);
  for (OpId op : done)
    for (OpId reader : graph_.succs(op))
      if (--waiting_[reader] == 0) ops_.push_back(reader);
  std::ranges::sort(ops_);
}

}  // namespace opsched
