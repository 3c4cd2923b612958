// Names in messages, tables, and numbers as text.
#include <gtest/gtest.h>

#include <map>
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
