// opsched links: measures transfers between devices of several processes.
#include "core/runtime/distributed/link_times.hpp"

#include <filesystem>

#include "experiments/cli/options.hpp"
#include "experiments/processes/found_devices.hpp"

namespace opsched::cli {
namespace {

struct LinksOptions {
  std::string device = "auto", profile, out, precision = "fp32";
  int devices = 0;
  std::int64_t largest = LinkSizes{}.largest;

  void add_to(CLI::App& app) {
    app.add_option("--device", device, "gpu (NCCL), cpu (MPI) or auto")->check(CLI::IsMember({"gpu", "cpu", "auto"}));
    app.add_option("--gpus", devices, "Between so many devices (default: one a process)")->check(CLI::Range(2, 1024));
    app.add_option("--precision", precision, "The profile to store them in: " + names_of(kPrecisions));
    app.add_option("--out", out, "Folder of the profile that keeps them (gpu: default results/DEVICE)");
    app.add_option("--profile", profile, "cpu, with --out: folder of the profile whose other costs are kept with them");
    app.add_option("--largest", largest, "cpu: largest tensor, bytes")->check(CLI::Range(4096L, 1L << 30));
  }
};

void print(const Profile& profile) {
  TextTable table({Align::left, Align::right}, {"link", "from", "to", "size", "ms", "GB/s"});
  for (const LinkKind kind : kLinkKinds)
    for (const auto& [link, entry] : profile.transfers(kind)) {
      const auto& [from, to, bytes] = link;
      table.add({to_string(kind), std::to_string(from), std::to_string(to), human_bytes(static_cast<double>(bytes)),
                 significant(entry.ms, 4), significant(static_cast<double>(bytes) / entry.ms / 1e6, 3)});
    }
  std::cout << table.text();
}

/// Measures links between the CPUs of all processes over MPI. Other costs come from the profile of a GPU, if one is
/// given.
Profile measure_on_cpus(const LinksOptions& options, Precision precision, ProcessGroup& processes,
                        const Report& report) {
  if (options.out.empty() != options.profile.empty())
    throw Error(
        "links between CPUs are stored with the other costs of a GPU: give both --profile FOLDER, which has those, and "
        "--out FOLDER, or neither");
  const std::string file = options.out.empty() ? "" : profile_file(options.out, precision);
  if (!file.empty() && std::filesystem::exists(file))
    throw Error("there is a profile '" + file + "' already: give another folder as --out");
  ProcessDevices devices{.process_of = spread_devices(options.devices, processes.size())};
  for (const FoundDevices& found : found_devices(processes)) devices.host_of.push_back(found.host);
  Profile profile =
      file.empty() ? Profile({.name = "CPU"}, precision) : Profile::load(profile_file(options.profile, precision));
  profile.require_precision(precision);
  profile.assume(topology_of(devices.process_of, devices.host_of));
  DeviceFacts facts = profile.device();
  facts.driver = "links by MPI between CPUs";  // added to the driver that the other costs were measured with
  profile.add_facts(facts);
  measure_links(processes, *make_cpu_parts(processes), devices, profile, {.largest = options.largest}, report);
  if (!file.empty()) {
    std::filesystem::create_directories(options.out);
    profile.save(file);
  }
  return profile;
}

Profile measure_on_gpus(const LinksOptions& options, Precision precision, ProcessGroup& processes,
                        const Report& report) {
  if (!options.profile.empty() || options.largest != LinkSizes{}.largest)
    throw Error("--profile and --largest are only for --device cpu; GPUs measure into --out");
  DeviceOptions wanted{.kind = "gpu", .profile = options.out, .gpus = options.devices, .report = report};
  place_processes(wanted, processes, false);
  const std::unique_ptr<Device> device = open_device(wanted);
  Graph graph("links");
  graph.add_input("in", {1, 1, 1});
  device->costs(graph, precision);
  device->save();
  return Profile::load(profile_file(device->profile_folder(), precision));
}

void show_links(LinksOptions& options, ProcessGroup& processes) {
  if (processes.size() == 1)
    throw Error(
        "links between processes need several: start mpirun -n 2 opsched links; links within a process are measured by "
        "opsched profile");
  if (options.devices == 0) options.devices = processes.size();
  const Precision precision = parse_precision(options.precision);
  StatusLine status;
  const bool on_gpus = options.device == "gpu" || (options.device == "auto" && has_gpu());
  const Profile profile = on_gpus ? measure_on_gpus(options, precision, processes, interruptible(status))
                                  : measure_on_cpus(options, precision, processes, interruptible(status));
  status.clear();
  print(profile);
}

}  // namespace

Command links_command() {
  return {.name = "links",
          .summary = "Measure transfers between devices of several processes, by kind of link",
          .examples =
              "  mpirun -n 2 opsched links                        between GPUs by NCCL, or between CPUs by MPI\n"
              "  mpirun -n 4 opsched links --gpus 8 --out r       four processes with two GPUs each\n"
              "  mpirun -n 2 --host a,b opsched links --device cpu --profile results/h200-x4 --out rehearsal\n"
              "  opsched bench --device sim --profile rehearsal --gpus 2    search schedules for these links\n"
              "bench and profile measure these links themselves on GPUs of several processes.",
          .setup = setup_of(show_links)};
}

}  // namespace opsched::cli
