// Names in messages, tables, and numbers as text.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "core/names.hpp"
#include "core/text_table.hpp"

namespace opsched {
namespace {

struct Named {
  std::string name;
};

TEST(Text, NamesAreJoinedAndFound) {
  const std::vector<Named> list = {{"a"}, {"b"}};
  EXPECT_EQ(joined(list, &Named::name), "a, b");
  EXPECT_EQ(joined(std::vector<std::string>{}), "");
  EXPECT_EQ(joined(
                std::map<int, int>{{1, 2}, {3, 4}}, [](const auto& e) { return std::to_string(e.second); }, "|"),
            "2|4");
  EXPECT_EQ(&find_named(list, "b", ""), &list[1]);
  try {
    find_named(list, "c", "no 'c'; there are: ");
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "no 'c'; there are: a, b");
  }
}

TEST(Text, TablesHaveColumnsAsWideAsTheirWidestCell) {
  TextTable table({Align::left, Align::right}, {"name", "ms"});
  table.add({"a", "12.5"});
  EXPECT_EQ(table.text(" "), " name    ms\n ----------\n a     12.5\n");
}

/// Every line of a text.
std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(Text, IsBrokenAtSpaces) {
  EXPECT_EQ(wrapped("one two three", "", 7), "one two\nthree");
  EXPECT_EQ(wrapped("one two three", "  ", 7), "one two\n  three");
  EXPECT_EQ(wrapped("  one two three", "", 9), "  one two\n  three");
  EXPECT_EQ(wrapped("a\nb c d", " ", 4), "a\n b c\n d");
  EXPECT_EQ(wrapped("averylongword b", "", 5), "averylongword\nb");  // words are not broken
  EXPECT_EQ(wrapped("", "", 5), "");
  EXPECT_EQ(wrapped("     ", "", 3).find_first_not_of(" \n"), std::string::npos);
  for (std::size_t width = 0; width < 20; ++width)
    for (const std::string& line : lines_in(wrapped("to be or not to be that is the question", " ", width)))
      EXPECT_LE(line.size(), std::max<std::size_t>(width, 9)) << width;
}

TEST(Text, TablesFitTheTerminal) {
  std::mt19937 random(1);
  const auto words = [&](int most) {
    std::string text;
    for (int i = static_cast<int>(random() % static_cast<unsigned>(most)); i >= 0; --i)
      text += std::string(1 + random() % 9, static_cast<char>('a' + random() % 26)) + (i > 0 ? " " : "");
    return text;
  };
  for (int round = 0; round < 50; ++round) {
    TextTable table({Align::left, Align::right, Align::left}, {words(3), words(6), words(2), words(2)});
    std::string said;
    for (int row = 0; row < 5; ++row) {
      const std::vector<std::string> cells = {"  " + words(4), std::to_string(random() % 1000), words(40), words(20)};
      for (const std::string& cell : cells) said += cell;
      table.add(cells);
      if (row == 2) table.add_rule();
    }
    const std::string text = table.text("  ");
    for (const std::string& line : lines_in(text)) EXPECT_LE(line.size(), kTextWidth) << text;
    for (char letter = 'a'; letter <= 'z'; ++letter)  // nothing is lost
      EXPECT_GE(std::ranges::count(text, letter), std::ranges::count(said, letter)) << letter << "\n" << text;
  }
}

TEST(Text, TablesBreakSentencesAndKeepColumns) {
  TextTable table({Align::left, Align::right, Align::left}, {"name", "a number", "what"});
  table.add({"x", "1", std::string(60, 'w') + " " + std::string(60, 'v')});
  EXPECT_EQ(table.text(), "name  a number  what\n" + std::string(kTextWidth, '-') + "\nx            1  " +
                              std::string(60, 'w') + "\n                " + std::string(60, 'v') + "\n");
}

TEST(Text, NumbersAreForPeople) {
  EXPECT_EQ(fixed(1.25, 3), "1.250");
  EXPECT_EQ(significant(200, 6), "200");
  EXPECT_EQ(significant(1.5e-5, 2), "1.5e-05");
  EXPECT_EQ(counted(1, "device"), "1 device");
  EXPECT_EQ(counted(0, "device"), "0 devices");
  EXPECT_EQ(human_bytes(1234), "1.2 KB");
  EXPECT_EQ(human_seconds(93), "1 m 33 s");
}

}  // namespace
}  // namespace opsched
