// opsched list: lists networks, schedulers and other choices.
#include "core/names.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/processes/found_devices.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched::cli {
namespace {

void list_networks() {
  std::cout << "Networks (opsched show NAME):\n";
  TextTable table({Align::left, Align::right, Align::right, Align::right, Align::left});
  table.add({"name", "image", "units", "blocks", "description"});
  for (const NetworkInfo& info : networks()) {
    const Graph graph = make_network(info.name);
    table.add({info.name, std::to_string(info.image), std::to_string(graph.units().size()),
               std::to_string(graph.blocks().size()), info.summary});
  }
  std::cout << table.text("  ");
}

void list_schedulers() {
  std::cout << "Schedulers (opsched schedule NETWORK --scheduler NAME [--opt OPTION=VALUE]):\n";
  TextTable table({Align::left});
  table.add({"name", "devices", "description"});
  for (const SchedulerInfo& info : schedulers()) {
    table.add({info.name, info.max_devices == 0 ? "any" : std::to_string(info.max_devices), info.summary});
    for (const auto& [name, meaning] : info.options) table.add({"", "", "  " + name + ": " + meaning});
  }
  std::cout << table.text("  ");
}

void list_devices(ProcessGroup& processes) {
  std::cout << "Devices, by process (rank):\n";
  TextTable table({Align::right, Align::left, Align::right, Align::left});
  table.add({"rank", "host", "cores", "GPUs"});
  const std::vector<FoundDevices> all = found_devices(processes);
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    table.add({std::to_string(rank), all[rank].host, std::to_string(all[rank].cores),
               all[rank].gpus.empty() ? "none: " + all[rank].no_gpu : joined(all[rank].gpus)});
  std::cout << table.text("  ");
}

struct ListOptions {
  std::string kind = "all";

  void add_to(CLI::App& app) {
    app.add_option("KIND", kind, "all, networks, schedulers or devices")
        ->check(CLI::IsMember({"all", "networks", "schedulers", "devices"}));
  }
};

void list(const ListOptions& options, ProcessGroup& processes) {
  if (options.kind == "all" || options.kind == "networks") list_networks();
  if (options.kind == "all") std::cout << "\n";
  if (options.kind == "all" || options.kind == "schedulers") list_schedulers();
  if (options.kind == "all") std::cout << "\n";
  if (options.kind == "all" || options.kind == "devices") list_devices(processes);
}

}  // namespace

Command list_command() {
  return {.name = "list",
          .summary = "List networks, schedulers with their options, and devices",
          .examples =
              "  opsched list                 everything\n"
              "  opsched list schedulers      only the schedulers\n"
              "  mpirun -n 4 opsched list devices   the devices of each process",
          .setup = setup_of(list)};
}

}  // namespace opsched::cli
