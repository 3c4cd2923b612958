#include "core/processes/orders.hpp"

#include "core/error.hpp"

namespace opsched {

void give_order(ProcessGroup& processes, const std::string& name, const std::string& text) {
  processes.broadcast(name);
  processes.broadcast(text);
}

void end_orders(ProcessGroup& processes) { processes.broadcast({}); }

void follow_orders(ProcessGroup& processes, const OrderHandlers& handlers) {
  for (std::string name; !(name = processes.broadcast({})).empty();) {
    const std::string text = processes.broadcast({});
    const auto handler = handlers.find(name);
    if (handler == handlers.end()) throw Error("process 0 asks for '" + name + "', which this build cannot do");
    handler->second(text);
  }
}

}  // namespace opsched
