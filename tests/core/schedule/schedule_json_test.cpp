// Schedule files: saved schedules can be loaded, and files that do not fit are refused.
#include "core/schedule/schedule_json.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/fingerprint.hpp"
#include "tests/support/shapes.hpp"

namespace opsched {
namespace {

namespace fs = std::filesystem;

Graph named(const std::string& name, int batch, int image, int width, const std::string& last) {
  Graph graph(name, batch);
  const OpId in = graph.add_input("in", {4, image, image});
  const OpId a = graph.add("a", {graph.all(in)}, {Conv2d{.out_channels = width}});
  const OpId b = graph.add("b \"quoted\" \u00e4", {graph.all(a)}, {Conv2d{.out_channels = 4}});
  const OpId c = graph.add("c", {graph.all(a)}, {Conv2d{.out_channels = 4}});
  graph.add(last, {graph.all(b), graph.all(c)}, {});
  graph.end_block("block");
  return graph;
}

Schedule some_schedule() {
  Schedule schedule{"net", "by-hand", Mode::barrier, {}, {}};
  schedule.devices = {
      {{{Strategy::concurrent, {{1}}}, {Strategy::merge, {{2, 3}}}}}, {{{Strategy::concurrent, {{4}}}}}, {}};
  return schedule;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

void expect_words(const std::string& message, const std::vector<std::string>& words) {
  EXPECT_NE(message, "");
  for (const std::string& word : words)
    EXPECT_NE(message.find(word), std::string::npos) << "'" << word << "' is not in: " << message;
}

/// A temporary folder for the test.
class ScheduleFile : public ::testing::Test {
 protected:
  ScheduleFile() : folder(fs::path(testing::TempDir()) / ("opsched_schedule_json." + std::to_string(::getpid()))) {
    fs::create_directories(folder);
  }
  ~ScheduleFile() override { fs::remove_all(folder); }
  std::string path(const std::string& name) const { return (folder / name).string(); }

  fs::path folder;
};

TEST_F(ScheduleFile, RoundTrips) {
  const Graph graph = named("net", 1, 8, 4, "d");
  Schedule schedule = some_schedule();
  save_schedule(path("s.json"), graph, schedule);
  EXPECT_EQ(load_schedule(path("s.json"), graph), schedule);
  schedule.mode = Mode::dataflow;
  schedule.launch_order = {1, 3, 2, 4};
  save_schedule(path("s.json"), graph, schedule);
  EXPECT_EQ(load_schedule(path("s.json"), graph), schedule);
  schedule.priority = {0, 5, 0, 2, 0};
  save_schedule(path("s.json"), graph, schedule);
  EXPECT_EQ(load_schedule(path("s.json"), graph), schedule);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1) << "a temporary file was left";
}

TEST_F(ScheduleFile, FitsOtherBatchesAndImages) {
  const std::string text = schedule_to_json(named("net", 1, 8, 4, "d"), some_schedule());
  EXPECT_EQ(schedule_from_json(named("net", 32, 16, 4, "d"), text, "s.json"), some_schedule());
}

TEST_F(ScheduleFile, RefusesOtherGraphs) {
  const std::string text = schedule_to_json(named("net", 1, 8, 4, "d"), some_schedule());
  const auto load = [&](const Graph& graph) { return message_of([&] { schedule_from_json(graph, text, "s.json"); }); };
  expect_words(load(named("other", 1, 8, 4, "e")), {"s.json", "'net'", "'other'", "'d'"});
  expect_words(load(named("wider", 1, 8, 8, "d")), {"s.json", "'net'", "'wider'", "'a'", "differs"});
  Graph longer = named("longer", 1, 8, 4, "d");
  longer.add("extra", {longer.all(4)}, {Activate{}});
  expect_words(load(longer), {"s.json", "'net'", "'longer'", "'extra'"});
}

TEST_F(ScheduleFile, RefusesBrokenFiles) {
  const Graph graph = named("net", 1, 8, 4, "d");
  const std::string good = schedule_to_json(graph, some_schedule());
  const auto load = [&](const std::string& text) {
    return message_of([&] { schedule_from_json(graph, text, "s.json"); });
  };
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (std::size_t n = 0; n + 1 < good.size(); ++n)  // the last character is a line feed
    expect_words(load(good.substr(0, n)), {"s.json", "line", "column"});
  expect_words(load("[]"), {"s.json", "object"});
  expect_words(load("{}"), {"s.json", "'format'"});
  expect_words(load(changed("opsched schedule", "something")), {"s.json", "format"});
  expect_words(load(changed("\"version\": 1", "\"version\": 99")), {"s.json", "version 99", "version 1"});
  expect_words(load(changed("\"version\": 1", "\"version\": \"1\"")), {"s.json", "schedule.version", "whole number"});
  expect_words(load(changed("barrier", "bar")), {"s.json", "schedule.mode", "'bar'", "'barrier'", "'dataflow'"});
  expect_words(load(changed("\"merge\"", "\"fuse\"")), {"s.json", "schedule.devices[0].stages[1].strategy", "'fuse'"});
  expect_words(load(changed("[[\"a\"]]", "[[\"in\"]]")), {"s.json", "'in'", "input"});
  expect_words(load(changed("[[\"a\"]]", "[[\"zz\"]]")), {"s.json", "devices[0].stages[0].groups[0][0]", "'zz'"});
  expect_words(load(changed("[[\"a\"]]", "[\"a\"]")), {"s.json", "devices[0].stages[0].groups[0]", "array"});
  expect_words(load(changed("[[\"a\"]]", "[[3]]")), {"s.json", "groups[0][0]", "string"});
  expect_words(load(changed("[[\"a\"]]", "[[\"d\"]]")), {"s.json", "'d'", "twice"});
  const std::string order = "\"launch_order\": []";
  const auto with_priority = [&](const std::string& value) {
    return changed(order, order + ", \"priority\": " + value);
  };
  EXPECT_EQ(load(with_priority("{\"a\": 5}")), "");
  expect_words(load(with_priority("[]")), {"s.json", "schedule.priority", "object"});
  expect_words(load(with_priority("{\"a\": 6}")), {"s.json", "priority.a", "from 0 to 5"});
  expect_words(load(with_priority("{\"a\": -1}")), {"s.json", "priority.a", "from 0 to 5"});
  expect_words(load(with_priority("{\"zz\": 1}")), {"s.json", "priority.zz", "no operator"});
  expect_words(message_of([&] { load_schedule(path("missing.json"), graph); }), {"missing.json", "No such file"});
}

TEST_F(ScheduleFile, FingerprintsTellGraphsApart) {
  const auto of = [](const Graph& graph) { return named_fingerprint(graph); };
  const std::string base = of(named("net", 1, 8, 4, "d"));
  EXPECT_EQ(base, of(named("another name", 1, 8, 4, "d")));
  EXPECT_NE(base, of(named("net", 2, 8, 4, "d")));
  EXPECT_NE(base, of(named("net", 1, 9, 4, "d")));
  EXPECT_NE(base, of(named("net", 1, 8, 5, "d")));
  EXPECT_NE(base, of(named("net", 1, 8, 4, "e")));
  EXPECT_EQ(base.size(), 16u);
}

TEST_F(ScheduleFile, WritesFilesAsAWhole) {
  write_file_atomically(path("new/folder/file"), "one");
  EXPECT_EQ(read_file(path("new/folder/file")), "one");
  fs::create_symlink(path("new/folder/file"), path("link"));
  write_file_atomically(path("link"), "two");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(read_file(path("new/folder/file")), "two");
  expect_words(message_of([&] { write_file_atomically(path("new"), "x"); }), {path("new"), "directory"});
  expect_words(message_of([&] { write_file_atomically(path("link") + "/file", "x"); }), {path("link"), "directory"});
  expect_words(message_of([&] { write_file_atomically("/dev/full", "x"); }), {"/dev/full", "No space"});
  expect_words(message_of([&] { write_file_atomically("/proc/nowhere", "x"); }), {"/proc/nowhere"});
  expect_words(message_of([&] { read_file(path("new/folder/file"), 2); }), {"new/folder/file", "larger than 2 bytes"});
  expect_words(message_of([&] { read_file(path("new")); }), {path("new"), "directory"});
  const std::string binary("\0\r\n\xff", 4);
  write_file_atomically(path("binary"), binary);
  EXPECT_EQ(read_file(path("binary")), binary);
}

}  // namespace
}  // namespace opsched
