#include "experiments/bench/cases.hpp"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <regex>
#include <system_error>
#include <tuple>

#include "core/error.hpp"
#include "core/graph/files/graph_io.hpp"
#include "networks/network.hpp"
#include "schedulers/scheduler.hpp"

namespace opsched::bench {
namespace {

void require_at_least(const std::vector<int>& values, int least, const std::string& what) {
  if (values.empty()) throw Error(what + ": no value");
  for (int value : values)
    if (value < least) throw Error(what + " " + std::to_string(value) + ": must be at least " + std::to_string(least));
}

/// Names of the chosen networks, each with its path if it is a graph file.
std::vector<std::pair<std::string, std::string>> chosen_networks(const Selection& selection) {
  std::vector<std::pair<std::string, std::string>> chosen;
  for (const std::string& name : selection.networks) chosen.emplace_back(find_network(name).name, "");
  for (const auto& [name, path] : graph_files(selection.files)) chosen.emplace_back(name, path);
  if (chosen.empty())
    for (const NetworkInfo& info : networks()) chosen.emplace_back(info.name, "");
  return chosen;
}

/// Expands a shell pattern; for a folder, the graph files in it.
std::vector<std::string> matching(const std::string& pattern) {
  namespace fs = std::filesystem;
  if (const std::size_t end = pattern.find('\0'); end != std::string::npos)
    throw Error("graph file '" + pattern.substr(0, end) + "': a null character follows");
  std::vector<std::string> patterns = {pattern};
  std::error_code wrong;  // set if the name is too long, or a folder cannot be read
  if (fs::is_directory(pattern, wrong)) patterns = {(fs::path(pattern) / "*.onnx"), (fs::path(pattern) / "*.json")};
  std::vector<std::string> paths;
  for (const std::string& each : patterns) {
    glob_t found{};
    if (fs::exists(each, wrong))
      paths.push_back(each);
    else if (glob(each.c_str(), 0, nullptr, &found) == 0)
      paths.insert(paths.end(), found.gl_pathv, found.gl_pathv + found.gl_pathc);
    globfree(&found);
  }
  if (paths.empty())
    throw Error("graph file '" + pattern +
                "': " + (wrong ? wrong.message() : "no such file, and no graph file matches"));
  return paths;
}

/// One device: all single-device schedulers, including sequential, the baseline. Several: only schedulers that can use
/// them all.
bool made_for(const SchedulerInfo& info, int gpus) {
  if (gpus == 1) return info.max_devices == 1;
  return info.max_devices == 0 || info.max_devices >= gpus;
}

struct ChosenScheduler {
  std::string name;
  SchedulerOptions options{};
};

/// `words`: scheduler names, each followed by its options, as in hios-lp,split=rows.
std::vector<ChosenScheduler> chosen_schedulers(const std::vector<std::string>& words, int gpus) {
  std::vector<ChosenScheduler> chosen;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      chosen.push_back({find_scheduler(word).name});
      continue;
    }
    if (chosen.empty())
      throw Error("--scheduler '" + word + "': options follow their scheduler, as in hios-lp,split=rows");
    chosen.back().options[word.substr(0, equals)] = word.substr(equals + 1);
  }
  if (words.empty())
    for (const SchedulerInfo& info : schedulers())
      if (made_for(info, gpus)) chosen.push_back({info.name});
  std::ranges::stable_partition(chosen, [](const ChosenScheduler& one) { return one.name == "sequential"; });
  return chosen;
}

std::vector<Precision> chosen_precisions(const std::vector<std::string>& names) {
  if (names.empty()) return {kUsualPrecisions.begin(), kUsualPrecisions.end()};
  std::vector<Precision> chosen;
  for (const std::string& name : names) chosen.push_back(parse_precision(name));
  return chosen;
}

/// Matches names as --benchmark_filter of Google Benchmark does.
class NameFilter {
 public:
  explicit NameFilter(std::string text) {
    if (text == "all") text.clear();
    if (text.starts_with("-")) negative_ = true, text.erase(0, 1);
    try {
      expression_ = std::regex(text, std::regex::extended);
    } catch (const std::regex_error& e) {
      throw Error("--benchmark_filter '" + text + "': invalid regular expression: " + e.what());
    }
  }
  bool accepts(const std::string& name) const { return std::regex_search(name, expression_) != negative_; }

 private:
  std::regex expression_;
  bool negative_ = false;
};

}  // namespace

bool CaseList::Before::operator()(const Case& a, const Case& b) const {
  const auto key = [](const Case& c) {
    return std::tuple_cat(c.neighbourhood(), std::tie(c.scheduler, c.options, c.software));
  };
  return key(a) < key(b);
}

void CaseList::add(const Selection& selection) {
  require_at_least(selection.batches, 1, "--batch");
  require_at_least(selection.gpus, 1, "--gpus");
  const auto graphs = chosen_networks(selection);
  const std::vector<Precision> precisions = chosen_precisions(selection.precisions);
  std::vector<std::pair<int, ChosenScheduler>> schedulers;  // with their number of GPUs
  for (const int gpus : selection.gpus)
    for (ChosenScheduler& one : chosen_schedulers(selection.schedulers, gpus))
      schedulers.emplace_back(gpus, std::move(one));
  double combinations = 1;  // does not overflow
  for (const std::size_t size :
       {graphs.size(), precisions.size(), selection.batches.size(), selection.images.size(), schedulers.size()})
    combinations *= static_cast<double>(size);
  if ((combinations_ += combinations) > kMostCases)
    throw Error("more than " + std::to_string(kMostCases) + " cases; shorten the lists");
  for (const auto& [network, file] : graphs)
    for (const Precision precision : precisions)
      for (const int batch : selection.batches)
        for (const ImageSize& image : selection.images)
          for (const auto& [gpus, scheduler] : schedulers) {
            Case c{.network = network,
                   .scheduler = scheduler.name,
                   .batch = batch,
                   .image = file.empty() && image == find_network(network).image ? ImageSize() : image,
                   .precision = precision,
                   .gpus = gpus,
                   .options = scheduler.options,
                   .file = file};
            if (known_.insert(c).second) cases_.push_back(std::move(c));
          }
}

std::vector<Case> make_cases(const Selection& selection) {
  CaseList list;
  list.add(selection);
  return list.cases();
}

std::vector<Case> filtered(const std::vector<Case>& cases, const std::string& filter) {
  const NameFilter names(filter);
  std::vector<Case> left;
  std::ranges::copy_if(cases, std::back_inserter(left), [&](const Case& one) { return names.accepts(one.name()); });
  if (left.empty()) throw Error("no benchmark matches '" + filter + "' (opsched bench --list shows all)");
  return left;
}

Graph make_graph(const Case& what) {
  if (!what.file.empty()) return load_graph(what.file, {.batch = what.batch, .image = what.image});
  return make_network(what.network, {.batch = what.batch, .image = what.image, .seed = 1, .edge_lists = {}});
}

std::map<std::string, std::string> graph_files(const std::vector<std::string>& patterns) {
  std::map<std::string, std::string> files;
  for (const std::string& pattern : patterns)
    for (const std::string& path : matching(pattern)) {
      const std::string name = std::filesystem::path(path).stem().string();
      const std::string what = "graph file '" + path + "': ";
      if (std::ranges::find(networks(), name, &NetworkInfo::name) != networks().end())
        throw Error(what + "'" + name + "' is the name of a built-in network; rename the file");
      if (const auto [it, fresh] = files.emplace(name, path); !fresh && it->second != path)
        throw Error(what + "'" + it->second + "' has the same name; rename one of them");
    }
  return files;
}

}  // namespace opsched::bench
