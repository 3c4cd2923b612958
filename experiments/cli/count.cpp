// opsched count: how large the search space of IOS is (table 1 of its paper).
#include <iostream>
#include <memory>

#include "experiments/cli/command.hpp"
#include "experiments/cli/options.hpp"
#include "experiments/console/interrupt.hpp"
#include "experiments/console/text_table.hpp"
#include "schedulers/ios/count.hpp"
#include "schedulers/options.hpp"

namespace opsched::cli {
namespace {

struct CountOptions {
  GraphOptions graph;
  std::string enumeration = "single-source", strategies = "concurrent,merge", group_size = "3", groups = "8";
  std::string max_part_size = "100", format = "text";

  IosOptions space() const {
    const SchedulerOptions texts = {
        {"--group-size", group_size}, {"--groups", groups}, {"--max-part-size", max_part_size}};
    const OptionReader reader(texts);
    IosOptions space;
    space.enumeration = parse_enumeration(enumeration);
    parse_strategies(strategies, space);
    space.group_size = reader.limit("--group-size", space.group_size, 1);
    space.groups = reader.limit("--groups", space.groups, 1);
    space.max_part_size = reader.limit("--max-part-size", space.max_part_size, 1);
    return space;
  }
};

void print_table(const IosCounts& counts) {
  TextTable table({Align::left, Align::right});
  table.add({"block", "part", "operators", "width", "states", "transitions", "stages", "schedules"});
  table.add_rule();
  const auto add = [&](const IosCount& c, const std::string& part) {
    table.add({c.block, part, std::to_string(c.operators), std::to_string(c.width), std::to_string(c.states),
               std::to_string(c.transitions), std::to_string(c.stages), c.schedules});
  };
  for (const IosCount& count : counts.parts) add(count, std::to_string(count.part));
  table.add_rule();
  // The product of all parts may fill many lines; the file form has it in full.
  IosCount total = counts.total;
  if (total.schedules.size() > 40)
    total.schedules = total.schedules.substr(0, 1) + "." + total.schedules.substr(1, 3) + "e" +
                      std::to_string(total.schedules.size() - 1);
  add(total, "");
  table.print(std::cout);
  std::cout << "counted in " << fixed(counts.seconds, 3) << " s\n";
}

void count(const CountOptions& options) {
  IosOptions space = options.space();
  space.poll = check_interrupt;
  const IosCounts counts = count_graph(options.graph.load(), space);
  if (options.format == "json")
    std::cout << to_json(counts) << "\n";
  else
    print_table(counts);
}

}  // namespace

Command count_command() {
  return {
      .name = "count",
      .summary = "The size of IOS's search space: states, transitions, schedules, stages of every block",
      .examples =
          "  opsched count inception_v3 --group-size unlimited --groups unlimited --strategies concurrent\n"
          "                                                      a row of the paper's table 1\n"
          "  opsched count nasnet --format json                  as the search runs by default: r = 3, s = 8\n"
          "  opsched count randwire-paper --enumeration components\n"
          "  opsched count --graph net.json --max-part-size 30   a graph of your own",
      .setup = [](CLI::App& app) -> std::function<void()> {
        auto options = std::make_shared<CountOptions>();
        options->graph.add_to(app);
        app.add_option("--enumeration", options->enumeration,
                       "Endings that may be stages: single-source (as IOS's code) or components (as its paper)")
            ->capture_default_str();
        app.add_option("--strategies", options->strategies, "concurrent, merge or both, with a comma")
            ->capture_default_str();
        app.add_option("--group-size", options->group_size, "Most operators in a group (r), or unlimited")
            ->capture_default_str();
        app.add_option("--groups", options->groups, "Most groups in a stage (s), or unlimited")->capture_default_str();
        app.add_option("--max-part-size", options->max_part_size,
                       "A block without parts is cut into runs of this many operators")
            ->capture_default_str();
        app.add_option("--format", options->format, "text or json")
            ->check(CLI::IsMember({"text", "json"}))
            ->capture_default_str();
        return [options] { count(*options); };
      }};
}

}  // namespace opsched::cli
