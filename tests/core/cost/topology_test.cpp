// Links of several kinds: which devices they connect, what a profile stores about them, and ports shared by the devices
// of a host.
#include "core/cost/topology.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <limits>

#include "core/cost/profile/profile.hpp"
#include "core/cost/synthetic.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/runtime/sim/links.hpp"
#include "tests/support/contains.hpp"
#include "tests/support/shapes.hpp"

namespace opsched {
namespace {

using test::contains;

constexpr LinkCost kSlow{.latency_ms = 0.01, .bytes_per_ms = 12.5e6};

template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

Profile two_hosts() {
  Profile profile({.name = "A GPU"}, Precision::fp32);
  Topology topology(4, 2);
  topology.state(LinkKind::network, kSlow);
  profile.set_topology(topology);
  profile.record_transfer(0, 1, 1000, {0.01, 0, 1});
  profile.record_transfer(0, 2, 1000, {0.02, 0, 1}, LinkKind::nccl);
  profile.record_transfer(2, 0, 1000, {0.04, 0, 1}, LinkKind::nccl);
  return profile;
}

TEST(Topology, NeighboursShareProcessesAndHosts) {
  const Topology topology(4, 2);
  for (int from = 0; from < 16; ++from)
    for (int to = 0; to < 16; ++to) {
      if (from == to) continue;
      const LinkKind expected = from / 4 != to / 4   ? LinkKind::network
                                : from / 2 != to / 2 ? LinkKind::nccl
                                                     : LinkKind::local;
      EXPECT_EQ(topology.kind(from, to), expected) << from << " to " << to;
    }
  for (int devices = 1; devices < 16; ++devices) {
    EXPECT_EQ(topology.all_local(devices), devices <= 2);
    EXPECT_TRUE(Topology().all_local(devices));
  }
}

TEST(Topology, RefusesWhatCannotBe) {
  EXPECT_TRUE(contains(error_of([] { Topology(4, 3); }), "processes of 3 devices do not fill a host of 4"));
  EXPECT_TRUE(contains(error_of([] { Topology(-1); }), "cannot be negative"));
  EXPECT_TRUE(contains(error_of([] { parse_link_kind("nvlink"); }),
                       "unknown kind of link 'nvlink'; known: local, nccl, network"));
  Topology topology;
  const double infinite = std::numeric_limits<double>::infinity();
  for (const LinkCost& cost : {LinkCost{-1, 1}, {0, 0}, {infinite, 1}, {0, infinite}, {0, -1}})
    EXPECT_TRUE(contains(error_of([&] { topology.state(LinkKind::nccl, cost); }), "link 'nccl'"));
  EXPECT_EQ(topology, Topology());
  for (const LinkKind kind : kLinkKinds) EXPECT_EQ(parse_link_kind(to_string(kind)), kind);
}

TEST(Topology, IsReadFromWhereProcessesRun) {
  using Hosts = std::vector<std::string>;
  using Ranks = std::vector<int>;
  EXPECT_EQ(topology_of(Ranks{0, 0, 0}, Hosts{"a"}), Topology());
  EXPECT_EQ(topology_of(Ranks{0, 0, 1, 1}, Hosts{"a", "a"}), Topology(0, 2));
  EXPECT_EQ(topology_of(Ranks{0, 1, 2, 3}, Hosts{"a", "a", "b", "b"}), Topology(2, 1));
  EXPECT_EQ(topology_of(Ranks{0, 0, 1, 1, 2, 2}, Hosts{"a", "a", "b"}), Topology(4, 2));  // the last may have fewer
  EXPECT_EQ(topology_of(Ranks{0, 0, 1}, Hosts{"a", "b"}), Topology(2, 2));
  for (const auto& [ranks, hosts, device] : {std::tuple(Ranks{0, 1, 2, 3}, Hosts{"a", "b", "a", "b"}, 2),
                                             {Ranks{0, 1, 2}, Hosts{"a", "b", "b"}, 2},
                                             {Ranks{0, 0, 1, 2, 2}, Hosts{"a", "a", "a"}, 3},
                                             {Ranks{0, 0, 1, 2, 2}, Hosts{"a", "a", "b"}, 3}}) {
    const std::string said = error_of([&] { topology_of(ranks, hosts); });
    EXPECT_TRUE(contains(said, "rank " + std::to_string(ranks[device]) + " on host '" + hosts[ranks[device]] +
                                   "': its device " + std::to_string(device)))
        << said;
  }
}

TEST(Topology, AProfilePricesEachKindOfLink) {
  const Profile profile = two_hosts();
  EXPECT_DOUBLE_EQ(profile.transfer_ms(0, 1, 1000), 0.01);
  EXPECT_DOUBLE_EQ(profile.transfer_ms(2, 3, 1000), 0.01);  // not measured between these two: the median of its kind
  EXPECT_DOUBLE_EQ(profile.transfer_ms(0, 2, 1000), 0.02);
  EXPECT_DOUBLE_EQ(profile.transfer_ms(1, 3, 1000), 0.03);
  EXPECT_DOUBLE_EQ(profile.transfer_ms(3, 4, 1250), 0.01 + 1e-4);
  EXPECT_EQ(profile.link_class(2, 3), profile.link_class(6, 7));
  EXPECT_NE(profile.link_class(0, 1), profile.link_class(2, 3)) << "one was measured";
  EXPECT_EQ(profile.link_class(3, 4), profile.link_class(0, 7));
  for (int from = 0; from < 8; ++from)
    for (int to = 0; to < 8; ++to)
      for (int a = 0; a < 8; ++a)
        for (int b = 0; b < 8; ++b)
          if (from != to && a != b && profile.link_class(from, to) == profile.link_class(a, b)) {
            EXPECT_EQ(profile.transfer_ms(from, to, 777), profile.transfer_ms(a, b, 777));
          }
}

TEST(Topology, AProfileSaysWhichKindWasNotMeasured) {
  Profile profile({.name = "A GPU"}, Precision::fp32);
  profile.record_transfer(0, 1, 1000, {0.01, 0, 1});
  profile.set_topology(Topology(2));
  EXPECT_TRUE(contains(error_of([&] { profile.transfer_ms(1, 2, 8); }),
                       "no transfers over links of kind 'network', which join devices 1 and 2"));
}

TEST(Topology, IsKeptInTheProfilesFileAndJournal) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("opsched_topology_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "profile.json", other = folder / "other.json";
  Profile profile = two_hosts();
  profile.save(path);
  const auto expect_all = [&](const Profile& read) {
    EXPECT_EQ(read.topology(), profile.topology());
    for (const LinkKind kind : kLinkKinds) EXPECT_EQ(read.transfers(kind), profile.transfers(kind));
  };
  expect_all(Profile::load(path));
  {
    Profile journaled = Profile::open(other, profile.device(), Precision::fp32);
    journaled.set_topology(profile.topology());
    journaled.merge(profile);
  }
  ASSERT_FALSE(std::filesystem::exists(other));  // only its journal exists
  expect_all(Profile::load(other));

  std::string text = read_file(path);
  text.replace(text.find("\"nccl\""), 6, "\"dove\"");
  write_file_atomically(path, text);
  const std::string error = error_of([&] { Profile::load(path); });
  EXPECT_TRUE(contains(error, path)) << error;
  EXPECT_TRUE(contains(error, "unknown kind of link 'dove'; known: local, nccl, network")) << error;
  std::filesystem::remove_all(folder);
}

TEST(Topology, SchedulesAreOfTheLinksThatTheyWereMeasuredOn) {
  Profile profile({.name = "A GPU"}, Precision::fp32);
  for (int gpus : {1, 2, 4})
    profile.record_schedule("graph", std::to_string(gpus), {{1, 0, 1}, {.network = "n", .gpus = gpus}, ""});
  EXPECT_TRUE(contains(error_of([&] { profile.set_topology(Topology(2)); }), "measured on other links"));
  Profile unlike({.name = "A GPU"}, Precision::fp32);
  unlike.set_topology(Topology(2));
  EXPECT_TRUE(contains(error_of([&] { unlike.merge(profile); }), "connected in different ways"));
  profile.assume(Topology(2));
  EXPECT_NE(profile.find_schedule("graph", "1"), nullptr);
  EXPECT_NE(profile.find_schedule("graph", "2"), nullptr);
  EXPECT_EQ(profile.find_schedule("graph", "4"), nullptr) << "it would cross hosts now";
}

TEST(Topology, DevicesOfAHostShareItsPorts) {
  Topology topology(2);
  topology.state(LinkKind::network, {.latency_ms = 1, .bytes_per_ms = 1});
  Links links(0, topology);
  // Devices 0 and 1 share a host, as do 2 and 3; 4 has its own. Each transfer holds the ports for 5 of its 6 ms.
  EXPECT_EQ(links.send(0, 0, 2, 0, 6).start, 0);
  EXPECT_EQ(links.send(0, 1, 3, 0, 6).start, 5) << "out of one host, into one other";
  EXPECT_EQ(links.send(0, 2, 4, 0, 6).start, 0) << "the other direction is free";
  EXPECT_EQ(links.send(0, 0, 4, 0, 6).start, 10) << "third out of its host";
  EXPECT_EQ(links.send(0, 0, 1, 0, 6).start, 0) << "within a host: ports of devices";
  EXPECT_EQ(links.send(0, 1, 0, 0, 6).start, 0);
}

TEST(Topology, SyntheticTransfersTakeTheLinksLatencyAndBandwidth) {
  const Graph graph = test::diamond();  // 1 -> 2, 3 -> 4
  SyntheticCost cost(graph, std::vector<double>(5, 1.0), std::vector<double>(5, 1.0), {{1, 2, 0.3}});
  Topology topology(2);
  topology.state(LinkKind::network, {.latency_ms = 0.25, .bytes_per_ms = 50});
  cost.join(topology, 400);
  EXPECT_EQ(cost.transfer_ms(1, 2, 0, 1), 0.3);
  EXPECT_DOUBLE_EQ(cost.transfer_ms(1, 2, 1, 2), 0.25 + 0.3 * 8);
  EXPECT_EQ(cost.transfer_ms(1, 3, 1, 2), 0) << "an edge without a transfer";
  EXPECT_EQ(cost.transfer_ms(1, 2, 2, 2), 0);
  EXPECT_EQ(cost.link_class(0, 1), cost.link_class(2, 3));
  EXPECT_NE(cost.link_class(0, 1), cost.link_class(1, 2));
  EXPECT_TRUE(contains(error_of([&] { cost.join(topology, 0); }), "link bandwidth must be above 0"));
}

}  // namespace
}  // namespace opsched
