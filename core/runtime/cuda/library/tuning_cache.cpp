#include "core/runtime/cuda/library/tuning_cache.hpp"

#include <cublasLt.h>
#include <cudnn.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/hash.hpp"

namespace opsched {
namespace {

using Json = nlohmann::json;

Json versions() {
  return {{"format", "opsched kernel choices"},
          {"version", kKernelsVersion},
          {"cudnn", cudnnGetVersion()},
          {"cublaslt", cublasLtGetVersion()}};
}

Json to_json(const TunedKernel& choice) {
  Json alone = Json::array();
  for (const KernelTime& k : choice.alone) {
    alone.push_back({k.kernel, k.ms});
    if (k.leaves_sms_free) alone.back().push_back("leaves SMs free");
  }
  Json j{{"kernel", choice.kernel}, {"alone", std::move(alone)}};
  if (choice.refined())
    j["refined"] = {{"instead_of", choice.instead_of},
                    {"co_run", choice.co_run},
                    {"before_ms", choice.before_ms},
                    {"after_ms", choice.after_ms}};
  if (!choice.tried.empty()) j["tried"] = choice.tried;
  return j;
}

TunedKernel from_json(const Json& j) {
  TunedKernel choice;
  choice.kernel = j.at("kernel");
  for (const Json& k : j.at("alone")) choice.alone.push_back({k.at(0), k.at(1), k.size() > 2});
  if (j.contains("refined")) {
    const Json& refined = j.at("refined");
    choice.instead_of = refined.at("instead_of");
    choice.co_run = refined.at("co_run");
    choice.before_ms = refined.at("before_ms");
    choice.after_ms = refined.at("after_ms");
  }
  if (j.contains("tried")) choice.tried = j.at("tried").get<decltype(choice.tried)>();
  return choice;
}

/// Kernels by GPU model and problem. Empty if the file is from another version. Throws Json::exception for a damaged
/// file.
std::map<std::string, std::map<std::string, TunedKernel>> parse(const Json& file) {
  std::map<std::string, std::map<std::string, TunedKernel>> all;
  const Json ours = versions();
  (void)file.at("format");
  for (const auto& [name, value] : ours.items())
    if (!file.contains(name) || file.at(name) != value) return all;
  for (const auto& [device, table] : file.at("choices").items())
    for (const auto& [problem, choice] : table.items()) all[device].emplace(problem, from_json(choice));
  return all;
}

}  // namespace

TuningCache::TuningCache(std::string path, std::string device, Report report)
    : path_(std::move(path)), device_(std::move(device)), report_(std::move(report)) {
  refresh();
}

void TuningCache::warn(const std::string& line) {
  if (!std::exchange(warned_, true) && report_) report_(line);
}

/// The content of the file; empty if it cannot be used.
std::map<std::string, TuningCache::Choices> TuningCache::read() {
  std::error_code unknown;
  if (path_.empty() || !std::filesystem::exists(path_, unknown)) return {};
  try {
    const Json file = Json::parse(read_file(path_));
    foreign_ = file.is_object() && file.contains("format") && file.at("format") != versions().at("format");
    if (!foreign_) return parse(file);
    warn(path_ + " is not a file of kernel choices, so that choices are not kept; name another file");
  } catch (const Json::exception& e) {
    warn(path_ + ": this file of kernel choices is damaged and made anew (" + e.what() + ")");
  } catch (const Error& e) {
    warn(std::string("kernel choices are not kept: ") + e.what());
  }
  return {};
}

void TuningCache::refresh() { choices_.merge(read()[device_]); }

const TunedKernel* TuningCache::find(const std::string& problem) const {
  const auto it = choices_.find(problem);
  return it == choices_.end() ? nullptr : &it->second;
}

void TuningCache::set(const std::string& problem, TunedKernel choice) {
  choices_[problem] = std::move(choice);
  changed_.insert(problem);
}

void TuningCache::save() {
  if (path_.empty() || changed_.empty()) return;
  std::map<std::string, Choices> all = read();
  if (foreign_) return;
  for (const std::string& problem : changed_) all[device_][problem] = choices_.at(problem);
  Json file = versions();
  Json& choices = file["choices"] = Json::object();
  for (const auto& [device, table] : all)
    for (const auto& [problem, choice] : table) choices[device][problem] = to_json(choice);
  try {
    write_file_atomically(path_, file.dump(1) + "\n");
    changed_.clear();
  } catch (const Error& e) {
    warn(std::string("kernel choices are not kept: ") + e.what());
  }
}

std::string TuningCache::refinement_tag() const {
  std::uint64_t hash = kHashStart;
  bool any = false;
  for (const auto& [problem, choice] : choices_) {
    if (!choice.refined()) continue;
    any = true;
    hash = fnv1a("\n", fnv1a(choice.kernel, fnv1a("\n", fnv1a(problem, hash))));
  }
  if (!any) return "";
  char text[17];
  std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(hash ^ (hash >> 32)));
  return text;
}

}  // namespace opsched
