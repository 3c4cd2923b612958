// GPUs divided among processes, which are threads with made-up GPUs in these tests.
#include "experiments/device/shared_gpus.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "tests/support/thread_group.hpp"

namespace opsched {
namespace {

/// What each process gets, if the processes see these GPUs.
std::vector<SharedGpus> agreed(const std::vector<SeenGpus>& seen) {
  std::vector<SharedGpus> all(seen.size());
  test::ThreadGroups(static_cast<int>(seen.size())).run([&](ProcessGroup& group) {
    const auto rank = static_cast<std::size_t>(group.rank());
    all[rank] = agree_on_gpus(group, seen[rank]);
  });
  return all;
}

TEST(SharedGpus, ThoseThatSeveralSeeAreSharedOut) {
  const SeenGpus both{.host = "a", .ids = {"x", "y", "z"}}, other{.host = "b", .ids = {"v"}};
  const std::vector<SharedGpus> all = agreed({both, both, other});
  EXPECT_EQ(all[0].own, std::vector{0});
  EXPECT_EQ(all[1].own, (std::vector{1, 2}));
  EXPECT_EQ(all[2].own, std::vector{0});
  for (const SharedGpus& shared : all) EXPECT_EQ(shared.total, 4);
  EXPECT_EQ(all[0].host_of, (std::vector<std::string>{"a", "a", "b"}));
}

TEST(SharedGpus, NoneOnOneRankIsAnErrorThatNamesIt) {
  const SeenGpus one{.host = "a", .ids = {"x"}}, none{.host = "b", .reason = "the driver is missing"};
  for (const auto& [seen, text] :
       {std::pair(std::vector{one, none}, "rank 1 has no GPU: host 'b' has 0 for 1 processes (the driver is missing)"),
        {std::vector{none, one, one}, "rank 0 has no GPU: host 'b' has 0 for 1 processes (the driver is missing)"},
        {std::vector{one, one}, "rank 0 has no GPU: host 'a' has 1 for 2 processes"}}) {
    try {
      agreed(seen);
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_EQ(std::string(e.what()), text);
    }
  }
}

}  // namespace
}  // namespace opsched
