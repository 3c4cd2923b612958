#include "experiments/cli/options.hpp"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/graph/blocks.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/schedule/schedule_json.hpp"
#include "experiments/device/gpu_processes.hpp"
#include "experiments/processes/shared_cases.hpp"
#include "schedulers/options.hpp"

namespace opsched::cli {
namespace {

constexpr int kAllBatches[] = {1, 16, 32, 64, 128};

/// Numbers, or "all".
std::vector<int> parse_batches(const std::vector<std::string>& words) {
  if (words == std::vector<std::string>{"all"}) return {std::begin(kAllBatches), std::end(kAllBatches)};
  std::vector<int> batches;
  for (const std::string& word : words) {
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), batches.emplace_back());
    if (error != std::errc{} || end != word.data() + word.size() || (word.front() == '0' && word.size() > 1))
      throw Error("--batch '" + word + "': use numbers as in 1,16, or all");
  }
  return batches;
}

std::string in_quotes(const std::string& word) {
  if (!word.empty() && word.find_first_of(" \t\n'\"\\$*?;&|<>()") == std::string::npos) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

/// The user's command for records, so that it can be repeated: "opsched bench --out results/mygpu". Words that contain
/// spaces or quotes are put in single quotes. --fresh is left out: without it, the command continues the run that
/// --fresh began. Empty if the system does not provide the command (no /proc).
std::string command_line() {
  std::ifstream words("/proc/self/cmdline", std::ios::binary);
  std::string line, word;
  for (bool program = true; std::getline(words, word, '\0'); program = false)
    if (word != "--fresh") line += program ? "opsched" : " " + in_quotes(word);
  return line;
}

}  // namespace

void GraphOptions::add_to(CLI::App& app) {
  app.add_option("NETWORK", network, "Name of a network (opsched list networks)");
  app.add_option("--graph", file, "A graph file instead: our JSON, JSON of the public IOS code, or ONNX");
  app.add_option("--batch", parameters.batch, "Batch size; 0: 1, or as stated in the graph file");
  app.add_option("--image", image,
                 "Image size: 224, or HEIGHTxWIDTH as in 480x640; 0: the network's own, or as stated in the file");
  app.add_option("--seed", parameters.seed, "Random networks: seed of the wiring");
  app.add_option("--edge-lists", parameters.edge_lists, "Random networks: load the edge lists in this folder instead");
  app.add_option("--block", block, "Only this block (opsched show NETWORK lists them)");
}

Graph GraphOptions::load() const {
  Graph graph = load_whole();
  return block.empty() ? graph : block_graph(graph, block);
}

std::string GraphOptions::name() const { return file.empty() ? network : std::filesystem::path(file).stem().string(); }

std::map<std::string, std::string> GraphOptions::labels() const {
  if (block.empty()) return {};
  return {{"block", block}};
}

records::Case GraphOptions::case_of(const Graph& graph, Precision precision, const std::string& scheduler) const {
  return {.network = name(),
          .scheduler = scheduler,
          .batch = graph.batch(),
          .image = parse_image(image),
          .precision = precision,
          .file = file};
}

Graph GraphOptions::load_whole() const {
  if (network.empty() == file.empty())
    throw Error(network.empty() ? "no graph given: name a network (opsched list networks) or use --graph FILE"
                                : "both a network ('" + network + "') and --graph '" + file + "'; give one of them");
  if (parameters.batch < 0) throw Error("--batch " + std::to_string(parameters.batch) + ": must be at least 1");
  NetworkOptions filled = parameters;
  filled.image = parse_image(image);
  if (!file.empty()) {
    if (parameters.seed != NetworkOptions{}.seed || !parameters.edge_lists.empty())
      throw Error("--graph '" + file + "': --seed and --edge-lists apply only to named random networks, not to files");
    return load_graph(file, {.batch = filled.batch, .image = filled.image});
  }
  if (filled.batch == 0) filled.batch = 1;
  return make_network(network, filled);
}

void CaseOptions::add_to(CLI::App& app, const std::string& networks) {
  app.add_option(networks, selection.networks, "Networks, as in a,b (default: all, or only those given by --graph)");
  app.add_option("--graph", selection.files, kGraphsHelp);
  app.add_option(
      "--scheduler", selection.schedulers,
      "Schedulers, as in a,b; options follow each name, as in a,x=1,b (default: all that support the number of GPUs)");
  app.add_option("--batch", batches, "Batch sizes, as in 1,16; all: 1,16,32,64,128");
  app.add_option("--image", images, "Image sizes, as in 512,480x640 (height first); 0: the network's own");
  app.add_option("--precision", selection.precisions,
                 "Precisions " + names_of(kPrecisions) + ", as in a,b (default: " + names_of(kUsualPrecisions) + ")");
  const bool positional = must_name = !networks.starts_with("-");
  if (positional) app.get_option(networks)->description("Names of networks (opsched list networks), as in a,b");
  for (CLI::Option* option : app.get_options())
    if (option->get_items_expected_max() > 1) option->delimiter(',');
}

std::vector<bench::Case> CaseOptions::cases() {
  if (must_name && selection.networks.empty() && selection.files.empty())
    throw Error("no network given: name some (opsched list networks) or use --graph FILE");
  selection.batches = parse_batches(batches);
  selection.images.clear();
  for (const std::string& image : images) selection.images.push_back(parse_image(image));
  return make_cases(selection);
}

void IosSpaceOptions::add_to(CLI::App& app) {
  app.add_option("--enumeration", enumeration,
                 "Allowed endings: single-source (as in IOS's code) or components (as in the paper)");
  app.add_option("--group-size", group_size, "Maximum number of operators in a group (r), or unlimited");
  app.add_option("--groups", groups, "Maximum number of groups in a stage (s), or unlimited");
}

IosOptions IosSpaceOptions::space() const {
  const SchedulerOptions texts = {{"--group-size", group_size}, {"--groups", groups}};
  const OptionReader reader(texts);
  IosOptions space;
  space.enumeration = parse_enumeration(enumeration);
  space.group_size = reader.limit("--group-size", space.group_size, 1);
  space.groups = reader.limit("--groups", space.groups, 1);
  space.poll = check_interrupt;
  return space;
}

void SchedulerChoice::add_to(CLI::App& app) {
  app.add_option("--scheduler", name, "Name of a scheduler (opsched list schedulers)")->required();
  app.add_option("--opt", assignments, "A scheduler option, NAME=VALUE; may be given several times")
      ->expected(1)
      ->take_all();
  app.add_option("--window", window,
                 "Maximum number of operators in a stage, for schedulers with that option: same as --opt window=...");
  app.add_option("--gpus", gpus, "Number of GPUs to schedule for");
}

SchedulerOptions SchedulerChoice::options() const {
  SchedulerOptions options;
  for (const std::string& text : assignments) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos)
      throw Error("--opt '" + text + "': use NAME=VALUE, for example --opt r=3");
    if (!options.emplace(text.substr(0, equals), text.substr(equals + 1)).second)
      throw Error("--opt '" + text + "': '" + text.substr(0, equals) + "' is given twice");
  }
  if (!window.empty() && !options.emplace("window", window).second)
    throw Error("--window " + window + ": --opt window=... is given as well; give only one of them");
  return options;
}

void ScheduleChoice::add_to(CLI::App& app) {
  app.add_option("--schedule", file, "A schedule file (opsched schedule -o)");
  scheduler.add_to(app);
  app.get_option("--scheduler")->required(false);
}

ScheduleChoice::Request ScheduleChoice::request(const Graph& graph) const {
  if (file.empty() == scheduler.name.empty())
    throw Error(file.empty()
                    ? "no schedule given: use --scheduler NAME (opsched list schedulers) or --schedule FILE"
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
  add_device(app, device);
  add_hosts(app, device);
  app.add_option("--precision", precision, names_of(kPrecisions));
}

DeviceOptions RunOptions::device_options(int gpus, StatusLine& status, const std::string& results) const {
  DeviceOptions options = device;
  options.results = results;
  options.gpus = gpus;
  options.report = interruptible(status);
  return options;
}

DeviceOptions RunOptions::device_options(int gpus, StatusLine& status, ProcessGroup& processes) const {
  DeviceOptions options = device_options(gpus, status);
  options.processes = &processes;
  return options;
}

namespace {

Topology hosts_of(const std::vector<double>& numbers) {
  constexpr double bytes_per_ms = 1e6;  // 1 GB/s
  if (numbers.size() != 3 || numbers[0] < 1 || numbers[0] > 1e6 || numbers[0] != std::floor(numbers[0]))
    throw Error("--hosts: needs three numbers, the GPUs per host, and GB/s and us between hosts, as in 8,50,20");
  Topology topology(static_cast<int>(numbers[0]));
  topology.state(LinkKind::network, {.latency_ms = numbers[2] / 1000, .bytes_per_ms = numbers[1] * bytes_per_ms});
  return topology;
}

}  // namespace

void add_device(CLI::App& app, DeviceOptions& device) {
  app.add_option("--device", device.kind, "gpu, sim (replay a profile) or auto");
  app.add_option(
      "--profile", device.profile,
      "Folder of the profile to replay, or to measure into (default: that of --out, otherwise results/DEVICE)");
  app.add_flag("--late-relu", device.late_relu,
               "On a GPU: apply each ReLU where the network has it, and not where a tensor is written, for comparison");
}

void add_hosts(CLI::App& app, DeviceOptions& device) {
  const auto hosts = [&device](const std::vector<double>& numbers) { device.topology = hosts_of(numbers); };
  app.add_option_function<std::vector<double>>(
         "--hosts", hosts, "Replay as on several hosts: GPUs per host, and GB/s and us between hosts, as in 8,50,20")
      ->delimiter(',');
}

void add_share_cases(CLI::App& app, bool& share) {
  app.add_flag("--share-cases", share,
               "Under mpirun or srun: each process runs its own cases, instead of its part of one schedule");
}

void place_processes(DeviceOptions& device, ProcessGroup& processes, bool share) {
  if (processes.size() == 1) return;
  if (!share)
    device.processes = &processes;
  else if (device.kind == "gpu" || (device.kind == "auto" && has_gpu()))
    device.gpu_ids = share_gpus(processes).own;
}

bench::ShareCases sharing(ProcessGroup& processes, bool share, const DeviceOptions& options,
                          const bench::SessionOptions& session, Device& device) {
  if (share && processes.size() == 1)
    throw Error("--share-cases: there is only one process; start several with mpirun or srun");
  if (processes.size() > 1 && !share && !device.measures())
    throw Error("a replay runs in one process: use --share-cases, or start it without mpirun or srun");
  if (!share) return {};
  if (options.topology != Topology()) throw Error("--share-cases: cases with --hosts run in one process");
  const bench::ShareOptions what{.gpus = options.gpus,
                                 .through_host = options.through_host,
                                 .late_relu = options.late_relu,
                                 .cache = session.cache,
                                 .max_seconds = session.max_seconds};
  return [&processes, &device, what](const std::vector<bench::Case>& cases,
                                     const std::function<void(bench::Timed)>& arrived) {
    bench::share_cases(processes, device, what, cases, arrived);
  };
}

GraphOnDevice::GraphOnDevice(Graph loaded, const RunOptions& run, const DeviceOptions& options)
    : graph(std::move(loaded)), precision(parse_precision(run.precision)), device(open_device(options)) {
  device->require(options.gpus, precision);
  costs = device->costs(graph, precision);
}

void CacheOptions::add_to(CLI::App& app) {
  app.add_option("--cache", folder, "Folder for schedules found by searches");
  app.add_flag("--no-cache", none, "Search every schedule again");
}

void RecordOptions::add_to(CLI::App& app) {
  app.add_option("--out", out,
                 "Results folder: records are stored in its records.jsonl, and an interrupted command continues there");
  app.add_flag("--fresh", fresh, "With --out: start over instead of continuing");
}

std::unique_ptr<records::RecordFile> RecordOptions::open(records::Run run) const {
  if (out.empty()) return nullptr;
  run.command = command_line();
  using Start = records::RecordFile::Start;
  auto file = std::make_unique<records::RecordFile>(out, run, fresh ? Start::anew : Start::continued);
  for (const std::string& warning : file->records().warnings()) warn(warning);
  if (file->resumed() > 0)
    warn("continuing an interrupted run: " + std::to_string(file->resumed()) + " records are in " + out +
         " (--fresh starts over)");
  return file;
}

std::unique_ptr<records::RecordFile> RecordOptions::open(const Device& device) const {
  auto file = open(device.run());
  if (const int others = file && device.measures() ? file->of_other_versions() : 0; others > 0)
    warn(std::to_string(others) + " measurements in " + out +
         " come from other versions; the records of this run replace them");
  return file;
}

}  // namespace opsched::cli
