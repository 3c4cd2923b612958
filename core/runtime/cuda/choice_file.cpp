#include "core/runtime/cuda/choice_file.hpp"

#include <cublasLt.h>
#include <cudnn.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"

namespace opsched {
namespace {

using Json = nlohmann::json;

constexpr int kVersion = 3;  // raise it when kernels, their names, or what makes one better change

Json versions() {
  return {{"format", "opsched kernel choices"},
          {"version", kVersion},
          {"cudnn", cudnnGetVersion()},
          {"cublaslt", cublasLtGetVersion()}};
}

/// "choices" of a file: GPU model, problem, kernel. Empty if there is none, or if it is another version's.
Json read(const std::string& path) {
  Json none = Json::object();
  if (path.empty() || !std::filesystem::exists(path)) return none;
  try {
    Json file = Json::parse(read_file(path));
    const Json ours = versions();
    if (file.at("format") != ours.at("format"))
      throw Error(path + ": not a file of kernel choices; delete it or name another one");
    for (const auto& [name, value] : ours.items())
      if (!file.contains(name) || file.at(name) != value) return none;
    Json choices = file.at("choices");
    for (const auto& [device, table] : choices.items())
      for (const auto& [problem, kernel] : table.items()) kernel.get_ref<const std::string&>();
    return choices;
  } catch (const Json::exception& e) {
    throw Error(path + ": not a file of kernel choices (" + e.what() + "); delete it or name another one");
  }
}

}  // namespace

ChoiceFile::ChoiceFile(std::string path, std::string device) : path_(std::move(path)), device_(std::move(device)) {
  refresh();
}

void ChoiceFile::refresh() {
  const Json all = read(path_);
  if (all.contains(device_)) choices_.merge(all.at(device_).get<std::map<std::string, std::string>>());
}

const std::string* ChoiceFile::find(const std::string& problem) const {
  const auto it = choices_.find(problem);
  return it == choices_.end() ? nullptr : &it->second;
}

void ChoiceFile::set(const std::string& problem, const std::string& kernel) {
  choices_[problem] = kernel;
  changed_ = true;
}

void ChoiceFile::save() {
  if (path_.empty() || !changed_) return;
  Json all = read(path_);
  for (const auto& [problem, kernel] : choices_) all[device_][problem] = kernel;
  Json file = versions();
  file["choices"] = std::move(all);
  write_file_atomically(path_, file.dump(1) + "\n");
  changed_ = false;
}

}  // namespace opsched
