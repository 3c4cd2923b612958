// The program as a user sees it: help, and what it says about wrong input.
#include <gtest/gtest.h>

#include "tests/program.hpp"

namespace opsched::test {
namespace {

TEST(Cli, HelpListsEveryCommandWithExamples) {
  const ProgramResult help = run_program("--help");
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("Examples:"), std::string::npos);
  EXPECT_EQ(help.err, "");
}

TEST(Cli, UnknownCommandIsRefused) {
  const ProgramResult result = run_program("no_such_command");
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("no_such_command"), std::string::npos);
}

}  // namespace
}  // namespace opsched::test
