// opsched count: the size of the IOS search space (table 1 of the IOS paper).
#include "schedulers/ios/count.hpp"
#include "experiments/cli/options.hpp"
#include "schedulers/options.hpp"

namespace opsched::cli {
namespace {

struct CountOptions {
  GraphOptions graph;
  IosSpaceOptions space;
  std::string strategies = "concurrent,merge", max_part_size = "100", format = "text";

  void add_to(CLI::App& app) {
    graph.add_to(app);
    space.add_to(app);
    app.add_option("--strategies", strategies, "concurrent, merge or both, separated by a comma");
    app.add_option("--max-part-size", max_part_size, "Divide a block without parts into runs of this many operators");
    app.add_option("--format", format, "text or json")->check(CLI::IsMember({"text", "json"}));
  }
};

void print_table(const IosCounts& counts) {
  TextTable table({Align::left, Align::right},
                  {"block", "part", "operators", "width", "states", "transitions", "stages", "schedules"});
  const auto add = [&](const IosCount& c, const std::string& part) {
    table.add({c.block, part, std::to_string(c.operators), std::to_string(c.width), std::to_string(c.states),
               std::to_string(c.transitions), std::to_string(c.stages), c.schedules});
  };
  for (const IosCount& count : counts.parts) add(count, std::to_string(count.part));
  table.add_rule();
  // The product over all parts may fill many lines; the file has all its digits.
  IosCount total = counts.total;
  if (total.schedules.size() > 40)
    total.schedules = total.schedules.substr(0, 1) + "." + total.schedules.substr(1, 3) + "e" +
                      std::to_string(total.schedules.size() - 1);
  add(total, "");
  std::cout << table.text();
  std::cout << "counted in " << fixed(counts.seconds, 3) << " s\n";
}

void count(const CountOptions& options) {
  IosOptions space = options.space.space();
  parse_strategies(options.strategies, space);
  const SchedulerOptions texts = {{"--max-part-size", options.max_part_size}};
  space.max_part_size = OptionReader(texts).limit("--max-part-size", space.max_part_size, 1);
  const IosCounts counts = count_graph(options.graph.load(), space);
  if (options.format == "json")
    std::cout << to_json(counts) << "\n";
  else
    print_table(counts);
}

}  // namespace

Command count_command() {
  return {.name = "count",
          .summary = "Count the IOS search space: states, transitions, schedules and stages of every block",
          .examples =
              "  opsched count inception_v3 --group-size unlimited --groups unlimited --strategies concurrent\n"
              "                                                      a row of the paper's table 1\n"
              "  opsched count nasnet --format json                  the search's default: r = 3, s = 8\n"
              "  opsched count randwire-paper --enumeration components\n"
              "  opsched count --graph net.json --max-part-size 30   your own graph",
          .setup = setup_of(count)};
}

}  // namespace opsched::cli
