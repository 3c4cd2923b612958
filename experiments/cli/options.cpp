#include "experiments/cli/options.hpp"

#include <filesystem>
#include <iostream>

#include "core/error.hpp"
#include "core/graph/blocks.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/schedule/schedule_json.hpp"
#include "experiments/console/progress.hpp"

namespace opsched::cli {

void GraphOptions::add_to(CLI::App& app) {
  app.add_option("NETWORK", network, "A network by name (opsched list networks)");
  app.add_option("--graph", file, "A graph file instead: our JSON, that of IOS's public code, or ONNX");
  app.add_option("--batch", parameters.batch, "Images at once; 0: 1, or what the graph file says")
      ->capture_default_str();
  app.add_option("--image", parameters.image, "Height and width of the input; 0: the network's own")
      ->capture_default_str();
  app.add_option("--seed", parameters.seed, "Random networks: which one is drawn")->capture_default_str();
  app.add_option("--edge-lists", parameters.edge_lists, "Random networks: a folder of edge lists to load instead");
  app.add_option("--block", block, "Only this block of it (opsched show NETWORK names them)");
}

Graph GraphOptions::load() const {
  Graph graph = load_whole();
  return block.empty() ? graph : block_graph(graph, block);
}

std::string GraphOptions::name() const { return file.empty() ? network : std::filesystem::path(file).stem().string(); }

std::map<std::string, std::string> GraphOptions::labels() const {
  return block.empty() ? std::map<std::string, std::string>{} : std::map<std::string, std::string>{{"block", block}};
}

Graph GraphOptions::load_whole() const {
  if (network.empty() == file.empty())
    throw Error(network.empty() ? "which graph? Name a network (opsched list networks) or give --graph FILE"
                                : "both a network ('" + network + "') and --graph '" + file + "'; give one of them");
  if (parameters.batch < 0) throw Error("--batch " + std::to_string(parameters.batch) + ": must be at least 1");
  if (!file.empty()) {
    const NetworkOptions defaults;
    if (parameters.image != defaults.image || parameters.seed != defaults.seed || !parameters.edge_lists.empty())
      throw Error("--graph '" + file +
                  "': --image, --seed and --edge-lists are for networks by name; the file says it");
    Graph graph = load_graph(file);
    return parameters.batch == 0 ? graph : graph.with_batch(parameters.batch);
  }
  NetworkOptions filled = parameters;
  if (filled.batch == 0) filled.batch = 1;
  return make_network(network, filled);
}

void SchedulerChoice::add_to(CLI::App& app) {
  app.add_option("--scheduler", name, "A scheduler by name (opsched list schedulers)")->required();
  app.add_option("--opt", assignments, "An option of the scheduler, NAME=VALUE; may be given several times")
      ->expected(1)
      ->take_all();
  app.add_option("--window", window, "Most operators in a stage, of schedulers that say so: --opt window=...");
  app.add_option("--gpus", gpus, "Devices to schedule for")->capture_default_str();
}

SchedulerOptions SchedulerChoice::options() const {
  SchedulerOptions options;
  for (const std::string& text : assignments) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos)
      throw Error("--opt '" + text + "': write NAME=VALUE, for example --opt r=3");
    if (!options.emplace(text.substr(0, equals), text.substr(equals + 1)).second)
      throw Error("--opt '" + text + "': '" + text.substr(0, equals) + "' is given twice");
  }
  if (!window.empty() && !options.emplace("window", window).second)
    throw Error("--window " + window + ": there is an --opt window=... as well; give one of them");
  return options;
}

void ScheduleChoice::add_to(CLI::App& app) {
  app.add_option("--schedule", file, "A schedule from a file (opsched schedule -o)");
  scheduler.add_to(app);
  app.get_option("--scheduler")->required(false);
}

ScheduleChoice::Request ScheduleChoice::request(const Graph& graph) const {
  if (file.empty() == scheduler.name.empty())
    throw Error(file.empty()
                    ? "which schedule? Give --scheduler NAME (opsched list schedulers) or --schedule FILE"
                    : "both --schedule '" + file + "' and --scheduler '" + scheduler.name + "'; give one of them");
  if (file.empty()) {
    check_scheduler(scheduler.name, scheduler.gpus, scheduler.options());
    return {.loaded = {}, .gpus = scheduler.gpus};
  }
  Schedule loaded = load_schedule(file, graph);
  const int gpus = static_cast<int>(loaded.devices.size());
  return {.loaded = std::move(loaded), .gpus = gpus};
}

Schedule ScheduleChoice::find(CostModel& costs, const Request& request,
                              const std::function<void(const std::string&)>& progress) const {
  if (!file.empty()) return request.loaded;
  return make_schedule(scheduler.name,
                       {.cost = costs, .devices = request.gpus, .options = scheduler.options(), .progress = progress});
}

void RunOptions::add_to(CLI::App& app) {
  app.add_option("--device", device, "gpu, sim (replay a profile), cpu (opsched run: numerics only) or auto")
      ->capture_default_str();
  app.add_option("--profile", profile, "Folder of the profile to replay, or to measure into");
  app.add_option("--precision", precision, "fp32, tf32 or fp16")->capture_default_str();
}

DeviceOptions RunOptions::device_options(int gpus, StatusLine& status) const {
  return {.kind = device, .profile = profile, .gpus = gpus, .report = interruptible(status)};
}

void RecordOptions::add_to(CLI::App& app) {
  app.add_option("--out", out,
                 "Folder of results: records are kept in its records.jsonl; an interrupted command goes on where it "
                 "stopped");
  app.add_flag("--fresh", fresh, "With --out: begin anew");
}

std::unique_ptr<records::RecordFile> RecordOptions::open(const records::Run& run) const {
  if (out.empty()) return nullptr;
  using Start = records::RecordFile::Start;
  auto file = std::make_unique<records::RecordFile>(out, run, fresh ? Start::anew : Start::continued);
  for (const std::string& warning : file->records().warnings()) std::cerr << "opsched: " << warning << "\n";
  if (file->resumed() > 0)
    std::cerr << "opsched: going on with an interrupted run: " << file->resumed() << " records kept in " << out
              << " (--fresh begins anew)\n";
  return file;
}

}  // namespace opsched::cli
