#include "core/runtime/cuda/profiling/cupti_api.hpp"

#include <dlfcn.h>

#include <string>

#include "core/error.hpp"

namespace opsched {
namespace {

void* open_library() {
  // CUPTI's API version is 130001 in CUDA 13.0, and 24 in 12.4; since 13 it determines the library's name.
  const std::string version = CUPTI_API_VERSION >= 130000 ? std::to_string(CUPTI_API_VERSION / 10000) : "12";
  std::string reasons;
  for (const std::string& name : {"libcupti.so." + version, std::string(OPSCHED_CUPTI_LIBRARY)}) {
    // Never unloaded, because CUPTI keeps its own threads.
    if (void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_NODELETE)) return library;
    const char* reason = dlerror();
    reasons += std::string("; ") + (reason ? reason : name.c_str());
  }
  throw Error(
      "tracing on a GPU needs CUPTI, which cannot be loaded: install the CUDA toolkit's CUPTI, or name its folder in "
      "LD_LIBRARY_PATH (" +
      reasons.substr(2) + ")");
}

CuptiApi load() {
  void* library = cupti_library();
  CuptiApi api;
  const auto require = [](void* function, const char* name) {
    if (!function) throw Error(std::string("this CUPTI is too old: it has no ") + name);
  };
#define OPSCHED_LOAD(name) api.name = reinterpret_cast<decltype(api.name)>(dlsym(library, #name));
#define OPSCHED_REQUIRE(name) require(reinterpret_cast<void*>(api.name), #name);
  OPSCHED_CUPTI_FUNCTIONS(OPSCHED_LOAD)
  OPSCHED_CUPTI_FUNCTIONS(OPSCHED_REQUIRE)
#undef OPSCHED_LOAD
#undef OPSCHED_REQUIRE
  return api;
}

}  // namespace

void* cupti_library() {
  static void* const library = open_library();
  return library;
}

const CuptiApi& cupti_api() {
  static const CuptiApi api = load();
  return api;
}

void cupti_check(CUptiResult status, const char* call) {
  if (status == CUPTI_SUCCESS) return;
  const std::string function = std::string(call).substr(0, std::string(call).find('('));
  if (status == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED)
    throw Error("another profiler (nsys, ncu) is attached to this program: run it without, or without tracing");
  const char* text = nullptr;
  cupti_api().cuptiGetResultString(status, &text);
  throw Error(function + " failed: " + (text ? text : "unknown error"));
}

}  // namespace opsched
