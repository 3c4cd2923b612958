#include "experiments/records/record.hpp"

#include <charconv>
#include <ctime>
#include <sstream>
#include <tuple>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/names.hpp"

namespace opsched::records {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> words;
  std::istringstream rest(text);
  for (std::string word; std::getline(rest, word, at);) words.push_back(word);
  return words;
}

/// Reads the number from "batch:16"; leaves `value` unchanged if the name differs.
void read_number(const std::string& word, const std::string& name, int& value) {
  if (word.starts_with(name + ":")) std::from_chars(word.data() + name.size() + 1, word.data() + word.size(), value);
}

}  // namespace

std::string Case::scheduler_name() const {
  std::string name = scheduler;
  for (const auto& [option, value] : options) name.append(",").append(option).append("=").append(value);
  return name;
}

std::string Case::name() const {
  std::string name = (software == "opsched" ? "" : software + ":") + network + "/" + scheduler_name();
  name += "/batch:" + std::to_string(batch);
  if (image != 0) name += "/image:" + to_string(image);
  return name + "/" + to_string(precision) + "/gpus:" + std::to_string(gpus);
}

std::optional<Case> parse_case(const std::string& name) {
  const std::vector<std::string> words = split(name, '/');
  if (words.size() < 5) return std::nullopt;
  Case what{.network = words[0]};
  if (const std::size_t colon = what.network.find(':'); colon != std::string::npos) {
    what.software = what.network.substr(0, colon);
    what.network.erase(0, colon + 1);
  }
  const std::vector<std::string> scheduler = split(words[1], ',');
  for (std::size_t i = 0; i < scheduler.size(); ++i) {
    const std::size_t equals = scheduler[i].find('=');
    if (i == 0)
      what.scheduler = scheduler[i];
    else if (equals != std::string::npos)
      what.options[scheduler[i].substr(0, equals)] = scheduler[i].substr(equals + 1);
  }
  read_number(words[2], "batch", what.batch);
  if (words[3].starts_with("image:")) try {
      what.image = parse_image(words[3].substr(6));
    } catch (const Error&) {
      return std::nullopt;
    }
  const std::string& precision = words[words.size() - 2];
  for (const Precision known : kPrecisions)
    if (precision == to_string(known)) what.precision = known;
  read_number(words.back(), "gpus", what.gpus);
  return what.name() == name ? std::optional(what) : std::nullopt;
}

Case baseline_of(const Case& what) {
  Case baseline = what;
  baseline.scheduler = "sequential";
  baseline.options.clear();
  baseline.gpus = 1;
  return baseline;
}

bool Run::same_work(const Run& other) const {
  Run mine = *this;
  mine.id = other.id;
  mine.begin = other.begin;
  return mine == other;
}

bool Run::same_versions(const Run& other) const {
  return std::tie(driver, cuda, cudnn, kernels) == std::tie(other.driver, other.cuda, other.cudnn, other.kernels);
}

std::string Run::where() const {
  std::string text = device;
  const auto add = [&](const std::string& name, const std::string& version) {
    if (!version.empty()) text.append(text.empty() ? "" : ", ").append(name).append(" ").append(version);
  };
  add("driver", driver);
  add("CUDA", cuda);
  add("cuDNN", cudnn);
  add("kernels", kernels);
  for (const auto& [name, version] : software) add(name, version);
  return text;
}

std::string Record::key() const {
  std::string key = what.name();
  if (quantity != "latency") key += "#" + quantity;
  const auto label = [](const auto& entry) { return entry.first + "=" + entry.second; };
  return labels.empty() ? key : key + "{" + joined(labels, label, ",") + "}";
}

double Record::number(const std::string& name) const {
  const auto it = numbers.find(name);
  if (it == numbers.end()) throw Error("the record " + key() + " has no number '" + name + "'");
  return it->second;
}

double Record::number_or(const std::string& name, double otherwise) const {
  const auto it = numbers.find(name);
  return it == numbers.end() ? otherwise : it->second;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[sizeof "2026-11-28T00:10:13Z"];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string id_of(const KernelChoices& choices) {
  std::uint64_t hash = kHashStart;
  for (const auto& [problem, kernel] : choices) hash = fnv1a("\n", fnv1a(kernel, fnv1a("\t", fnv1a(problem, hash))));
  return hex_digits(hash);
}

}  // namespace opsched::records
