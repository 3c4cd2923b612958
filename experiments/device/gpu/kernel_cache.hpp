// Names under which a GPU's files are kept.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>

#include "core/precision.hpp"
#include "experiments/device/folders.hpp"

namespace opsched {

/// "NVIDIA GeForce RTX 4090" -> "rtx-4090".
inline std::string short_name(std::string name) {
  for (const std::string word : {"NVIDIA ", "GeForce ", "Tesla "})
    if (name.starts_with(word)) name.erase(0, word.size());
  std::ranges::transform(name, name.begin(), [](unsigned char c) {
    return static_cast<char>(std::isalnum(c) != 0 ? std::tolower(c) : '-');
  });
  return name;
}

/// Where the choices of kernels for a GPU are kept; empty: nowhere.
inline std::string kernel_cache_file(const std::string& gpu, Precision precision) {
  const std::string cache = user_cache_folder();
  return cache.empty() ? "" : cache + "/kernels-" + short_name(gpu) + "-" + to_string(precision) + ".txt";
}

}  // namespace opsched
