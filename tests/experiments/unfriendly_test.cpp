// Malicious files, names and paths, and full disks.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/files/graph_io.hpp"
#include "core/nesting.hpp"
#include "core/utf8.hpp"
#include "experiments/studies/scratch_folder.hpp"
#include "tests/experiments/program.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/onnx_writer.hpp"

namespace opsched::test {
namespace {

namespace fs = std::filesystem;

std::string complaint_about_graph(const std::string& name, const std::string& op, int values) {
  std::string terms;
  for (int i = 0; i < values; ++i) terms += std::string(i ? "," : "") + R"([["in", 0, 1]])";
  const std::string text = R"({"format": "opsched-graph", "version": 1, "name": ")" + name +
                           R"(", "operators": [{"name": "in", "shape": [1, 1, 1]}, {"name": ")" + op +
                           R"(", "inputs": [)" + terms +
                           R"(], "layers": [{"type": "activation", "activation": "relu"}]}]})";
  try {
    parse_graph(text, "g.json");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Unfriendly, RewrittenFilesKeepTheirPermissionsAndPassLeftoversBy) {
  const TempDir dir;
  const std::string file = dir.write("f", "old");
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  for (int i = 0; i < 300; ++i) dir.write("f.tmp." + std::to_string(::getpid()) + "." + std::to_string(i), "left");
  write_file_atomically(file, "new");
  EXPECT_EQ(read_file(file), "new");
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST(Unfriendly, PlacesThatCannotBeWrittenAreRefusedBeforehand) {
  const TempDir dir;
  const std::string file = dir.write("f", "");
  EXPECT_THROW(require_writable(file + "/below"), Error);
  EXPECT_THROW(require_writable(dir.path().string()), Error);
  EXPECT_NO_THROW(require_writable(dir.file("new/folder/file")));
  EXPECT_FALSE(fs::exists(dir.file("new")));
  EXPECT_EQ(run_program("fit --out " + file + "/x").code, 2);
  EXPECT_EQ(run_program("schedule squeezenet --scheduler sequential -o " + file + "/x").code, 2);
}

TEST(Unfriendly, SizesAreSeenBeforeReading) {
  const TempDir dir;
  const std::string file = dir.write("f", "");
  fs::resize_file(file, std::uintmax_t{3} << 30);  // sparse
  EXPECT_THROW(read_file(file), Error);
  EXPECT_THROW(check_nesting(std::string(100, '[')), Error);
  EXPECT_NO_THROW(check_nesting("[\"" + std::string(100, '[') + "\\\"[\"]"));
}

TEST(Unfriendly, NamesAndSizesInGraphFilesHaveLimits) {
  EXPECT_EQ(complaint_about_graph("g", "a", 1), "");
  EXPECT_TRUE(contains(complaint_about_graph("g", "a", 9000), "9000 values"));
  EXPECT_TRUE(contains(complaint_about_graph("g\\u001b[31m", "a", 1), "\\x1b[31m"));
  const std::string much = complaint_about_graph("g", std::string(5'000'000, 'b'), 1);
  EXPECT_TRUE(contains(much, "at most 1000"));
  EXPECT_LT(much.size(), 500u);
}

TEST(Unfriendly, TextFromOutsideIsFitForTerminalsAndFileNames) {
  EXPECT_EQ(printable("a\x1b[1m\xff\n\xc3\xa9"), "a\\x1b[1m\\xff\n\xc3\xa9");
  EXPECT_LT(printable(std::string(1'000'000, 'x')).size(), 4100u);
  EXPECT_EQ(file_name_part("x/../../../escaped"), "x_.._.._.._escaped");
  EXPECT_EQ(file_name_part(".."), "_.");
}

TEST(Unfriendly, TemporaryFoldersCannotBeForetold) {
  const ScratchFolder one("test"), other("test");
  EXPECT_NE(one.path(), other.path());
  EXPECT_EQ(fs::status(one.path()).permissions(), fs::perms::owner_all);
}

TEST(Unfriendly, LinksOutOfAModelsFolderAreNotFollowed) {
  const TempDir dir;
  dir.write("secret", std::string(16, '\0'));
  fs::create_directory(dir.path() / "model");
  fs::create_symlink("../secret", dir.path() / "model/weights");
  OnnxWriter m;
  m.input("x", {1, 4, 1, 1}).external("w", {4, 1, 1, 1}, "weights", 0).node("Conv", {"x", "w"}, {"y"}, {{"group", 4L}});
  const std::string file = dir.write("model/m.onnx", m.output("y").bytes());
  try {
    load_graph(file);
    FAIL() << "read";
  } catch (const Error& e) {
    EXPECT_TRUE(contains(e.what(), "outside the model's folder")) << e.what();
  }
}

TEST(Unfriendly, FlagsThatGoogleBenchmarkTakesThoughWrongAreRefused) {
  for (const std::string flag : {"--benchmark_repetitions=1.5", "--benchmark_repetitions=-1", "--benchmark_format=xml",
                                 "--benchmark_out_format=x", "--benchmark_time_unit=x", "--max-seconds nan"})
    EXPECT_EQ(run_program("bench --profile " + made_up_profile() + " " + flag).code, 2) << flag;
}

TEST(Unfriendly, ACacheThatCannotBeWrittenIsSaidOnceAndNoFailure) {
  const ProgramResult result = run_program(
      "bench --network squeezenet --scheduler dataflow,greedy --cache /dev/null --profile " + made_up_profile());
  EXPECT_EQ(result.code, 0) << result.err;
  const std::size_t first = result.err.find("schedules are not stored");
  ASSERT_NE(first, std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("schedules are not stored", first + 1), std::string::npos) << result.err;
}

}  // namespace
}  // namespace opsched::test
