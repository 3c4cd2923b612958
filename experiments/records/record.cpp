#include "experiments/records/record.hpp"

#include <ctime>
#include <tuple>

#include "core/error.hpp"
#include "core/hash.hpp"

namespace opsched::records {

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
  std::string inside;
  for (const auto& [label, text] : labels)
    inside.append(inside.empty() ? "" : ",").append(label).append("=").append(text);
  return inside.empty() ? key : key + "{" + inside + "}";
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
