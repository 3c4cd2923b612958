#include "tests/experiments/program.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <stdexcept>

#include "core/files.hpp"
#include "networks/network.hpp"
#include "tests/support/true_device.hpp"

namespace opsched::test {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "opsched-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::write(const std::string& name, const std::string& text) const {
  std::ofstream(path_ / name, std::ios::binary) << text;
  return (path_ / name).string();
}

ProgramResult run_program(const std::string& args) {
  static const TempDir cache;
  const TempDir dir;
  const std::string out = dir.file("out"), err = dir.file("err");
  const std::string line = "{ XDG_CACHE_HOME='" + cache.path().string() + "' " + OPSCHED_PROGRAM + " " + args +
                           "\n} </dev/null >'" + out + "' 2>'" + err + "'";
  const int status = std::system(line.c_str());
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1, .out = read_file(out), .err = read_file(err)};
}

namespace {

void record_stage(Profile& profile, TrueDevice& device, const Graph& graph, const Stage& stage) {
  profile.record_stage(StageSigner(graph).stage(stage), device.stage(graph, stage));
}

}  // namespace

const std::string& made_up_profile() {
  static const TempDir dir;
  static const std::string folder = [] {
    const Graph graph = make_network("squeezenet");
    const StageDrawer drawer(graph);
    for (const Precision precision : kPrecisions) {
      TrueDevice device(5);
      std::mt19937_64 random(5);
      Profile profile(TrueDevice::facts(), precision);
      for (OpId id : graph.units()) record_stage(profile, device, graph, {Strategy::concurrent, {{id}}});
      for (int i = 0; i < 60; ++i) record_stage(profile, device, graph, drawer.draw(random));
      profile.save(dir.file("made-up/profile-" + to_string(precision) + ".json"));
    }
    return dir.file("made-up");
  }();
  return folder;
}

}  // namespace opsched::test
