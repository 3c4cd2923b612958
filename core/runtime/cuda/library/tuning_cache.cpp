#include "core/runtime/cuda/library/tuning_cache.hpp"

#include <cublasLt.h>
#include <cudnn.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"

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
    if (k.for_company) alone.back().push_back("for company");
  }
  Json j{{"kernel", choice.kernel}, {"alone", std::move(alone)}};
  if (choice.refined())
    j["refined"] = {{"instead_of", choice.instead_of},
                    {"company", choice.company},
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
    choice.company = refined.at("company");
    choice.before_ms = refined.at("before_ms");
    choice.after_ms = refined.at("after_ms");
  }
  if (j.contains("tried")) choice.tried = j.at("tried").get<decltype(choice.tried)>();
  return choice;
}

/// By GPU model and problem. Empty if there is no file, or if it is another version's.
using Choices = std::map<std::string, std::map<std::string, TunedKernel>>;

Choices read(const std::string& path) {
  Choices all;
  if (path.empty() || !std::filesystem::exists(path)) return all;
  try {
    const Json file = Json::parse(read_file(path));
    const Json ours = versions();
    if (file.at("format") != ours.at("format"))
      throw Error(path + ": not a file of kernel choices; delete it or name another one");
    for (const auto& [name, value] : ours.items())
      if (!file.contains(name) || file.at(name) != value) return all;
    for (const auto& [device, table] : file.at("choices").items())
      for (const auto& [problem, choice] : table.items()) all[device].emplace(problem, from_json(choice));
    return all;
  } catch (const Json::exception& e) {
    throw Error(path + ": not a file of kernel choices (" + e.what() + "); delete it or name another one");
  }
}

}  // namespace

ChoiceFile::ChoiceFile(std::string path, std::string device) : path_(std::move(path)), device_(std::move(device)) {
  refresh();
}

void ChoiceFile::refresh() { choices_.merge(read(path_)[device_]); }

const TunedKernel* ChoiceFile::find(const std::string& problem) const {
  const auto it = choices_.find(problem);
  return it == choices_.end() ? nullptr : &it->second;
}

void ChoiceFile::set(const std::string& problem, TunedKernel choice) {
  choices_[problem] = std::move(choice);
  changed_.insert(problem);
}

void ChoiceFile::save() {
  if (path_.empty() || changed_.empty()) return;
  Choices all = read(path_);
  for (const std::string& problem : changed_) all[device_][problem] = choices_.at(problem);
  Json file = versions();
  Json& choices = file["choices"] = Json::object();
  for (const auto& [device, table] : all)
    for (const auto& [problem, choice] : table) choices[device][problem] = to_json(choice);
  write_file_atomically(path_, file.dump(1) + "\n");
  changed_.clear();
}

std::string ChoiceFile::refinement_mark() const {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  bool any = false;
  const auto add = [&](const std::string& text) {
    for (const char c : text + '\n') hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  };
  for (const auto& [problem, choice] : choices_) {
    if (!choice.refined()) continue;
    any = true;
    add(problem);
    add(choice.kernel);
  }
  if (!any) return "";
  char text[17];
  std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(hash ^ (hash >> 32)));
  return text;
}

}  // namespace opsched
