// Options shared by several commands, each bound and checked in one place.
#pragma once

#include <map>

#include "core/graph/graph.hpp"
#include "experiments/bench/cases.hpp"
#include "experiments/bench/session.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/device/device.hpp"
#include "experiments/device/folders.hpp"
#include "experiments/records/record_file.hpp"
#include "networks/network.hpp"
#include "schedulers/ios/options.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched::cli {

/// Selects a graph: NETWORK with its parameters, or --graph FILE; optionally one block of it.
struct GraphOptions {
  std::string network, file, block, image = "0";
  NetworkOptions parameters = {.batch = 0, .image = 0, .seed = 1, .edge_lists = {}};  ///< but the image; batch 0: see
                                                                                      ///< --batch

  void add_to(CLI::App& app);
  /// Throws Error unless exactly one of NETWORK and --graph is given, for a parameter that does not apply to a graph
  /// file, and as the loaders do.
  Graph load() const;
  /// For records: the network's name, or that of the graph file without its ending; and label "block" if it is only
  /// one.
  std::string name() const;
  std::map<std::string, std::string> labels() const;
  /// Of the graph that was loaded.
  records::Case case_of(const Graph& graph, Precision precision, const std::string& scheduler) const;

 private:
  Graph load_whole() const;
};

/// Of --graph where several may be given.
inline constexpr const char* kGraphsHelp =
    "Graph files, folders, or patterns such as 'models/*.onnx', as in a,b; each file appears under its name";

/// Which cases: lists of networks, graph files, schedulers, batches, image sizes and precisions.
struct CaseOptions {
  bench::Selection selection;
  std::vector<std::string> batches = {"1"}, images = {"0"};
  bool must_name = false;  ///< networks are arguments: none does not mean all

  /// `networks`: how networks are given. Where they are arguments without a name, a list is one argument.
  void add_to(CLI::App& app, const std::string& networks = "--network");
  /// Throws Error as make_cases does, for batches that are neither numbers nor "all", and as parse_image does.
  std::vector<bench::Case> cases();
};

/// Which stages the IOS search looks at: --enumeration, --group-size, --groups.
struct IosSpaceOptions {
  std::string enumeration = "single-source", group_size = "3", groups = "8";

  void add_to(CLI::App& app);
  /// Interrupted by Ctrl-C.
  IosOptions space() const;
};

/// Selects a scheduler: --scheduler, its options as --opt NAME=VALUE or --window, --gpus.
struct SchedulerChoice {
  std::string name, window;
  std::vector<std::string> assignments;
  int gpus = 1;

  void add_to(CLI::App& app);
  /// Throws Error if the text is not NAME=VALUE, or for a duplicate.
  SchedulerOptions options() const;
};

/// A schedule from a file (--schedule), or found by a scheduler (SchedulerChoice).
struct ScheduleChoice {
  std::string file;
  SchedulerChoice scheduler;

  /// What is known before there are costs.
  struct Request {
    Schedule loaded;  ///< from the file; empty otherwise
    int gpus = 1;
  };

  void add_to(CLI::App& app);
  /// Reads the file, or checks scheduler and options. Throws Error unless exactly one of them is given, and
  /// as load_schedule and check_scheduler do.
  Request request(const Graph& graph) const;
  Schedule find(CostModel& costs, const Request& request,
                const std::function<void(const std::string&)>& progress) const;
};

/// Where and in what numbers: --device, --profile, --precision.
struct RunOptions {
  DeviceOptions device;
  std::string precision = "fp32";

  void add_to(CLI::App& app);
  /// `results`: where records go. `status` must outlive what they are given to.
  DeviceOptions device_options(int gpus, StatusLine& status, const std::string& results = {}) const;
  /// For schedules that run in several processes.
  DeviceOptions device_options(int gpus, StatusLine& status, ProcessGroup& processes) const;
};

/// --device, --profile and --late-relu.
void add_device(CLI::App& app, DeviceOptions& device);
/// --hosts.
void add_hosts(CLI::App& app, DeviceOptions& device);

/// --share-cases.
void add_share_cases(CLI::App& app, bool& share);
/// What a device of these processes is opened with: all run parts of one schedule, or each has cases of its own.
void place_processes(DeviceOptions& device, ProcessGroup& processes, bool share);
/// How a session on this device runs in these processes; empty: it runs its cases itself. Throws Error for several that
/// would have nothing to do. `session`: but for `share`.
bench::ShareCases sharing(ProcessGroup& processes, bool share, const DeviceOptions& options,
                          const bench::SessionOptions& session, Device& device);

/// A graph on a device.
struct GraphOnDevice {
  Graph graph;
  Precision precision;
  std::unique_ptr<Device> device;
  std::unique_ptr<CostModel> costs;

  /// Throws Error for what the device cannot do.
  GraphOnDevice(Graph graph, const RunOptions& run, const DeviceOptions& device);
};

/// Where schedules are kept: --cache, --no-cache.
struct CacheOptions {
  std::string folder = user_cache_folder();
  bool none = false;

  void add_to(CLI::App& app);
  /// Empty: they are not kept.
  std::string schedules() const { return none || folder.empty() ? "" : folder + "/schedules"; }
};

/// Where records go: --out FOLDER, --fresh.
struct RecordOptions {
  std::string out;
  bool fresh = false;

  void add_to(CLI::App& app);
  /// The records file of the folder; nullptr if none was given, so that records are only shown. Prints warnings about
  /// the folder to standard error. The run is named after the user's command. Throws Error as RecordFile does.
  std::unique_ptr<records::RecordFile> open(records::Run run = {}) const;
  /// Of this command on a device.
  std::unique_ptr<records::RecordFile> open(const Device& device) const;
};

}  // namespace opsched::cli
