// Commands from process 0 to the other processes.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/processes/process_group.hpp"

namespace opsched {

/// What a process does for an order, by the order's name. It hears what the order says.
using OrderHandlers = std::map<std::string, std::function<void(const std::string& text)>>;

/// On process 0: every other process begins this.
void give_order(ProcessGroup& processes, const std::string& name, const std::string& text = {});
/// On process 0: no more orders.
void end_orders(ProcessGroup& processes);
/// On the others: does as told, until there are no more orders. Passes on what a handler throws.
void follow_orders(ProcessGroup& processes, const OrderHandlers& handlers);

}  // namespace opsched
