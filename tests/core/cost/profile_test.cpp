// The profile: merging, its file, its journal, and the files of a killed process.
#include "core/cost/profile/profile.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>

#include "core/error.hpp"
#include "core/files.hpp"

namespace opsched {
namespace {

namespace fs = std::filesystem;

const DeviceFacts kDevice{.name = "Test GPU",
                          .compute_capability = 90,
                          .multiprocessors = 132,
                          .memory_bytes = 1LL << 37,
                          .l2_bytes = 60 << 20,
                          .driver = "580.1",
                          .cuda = "13.0",
                          .cudnn = "9.19",
                          .kernels = "",
                          .sm_clock_min_mhz = 1700,
                          .sm_clock_max_mhz = 1980,
                          .memory_clock_min_mhz = 3201,
                          .memory_clock_max_mhz = 3201};

DeviceFacts other_device() {
  DeviceFacts facts = kDevice;
  facts.name = "Other GPU";
  return facts;
}

class ProfileFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("opsched_profile_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    path_ = folder_ / "profile.json";
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
  std::string path_;
};

std::string key(int i) {
  return "b1 64x56x56:c" + std::to_string(1 + i % 97) + "r@a | 64x56x56:c" + std::to_string(1 + i / 97) + "k3p1r@a";
}

bool same(const Profile& a, const Profile& b) {
  return a.device() == b.device() && a.precision() == b.precision() && a.stages() == b.stages() &&
         a.transfers() == b.transfers() && a.schedules() == b.schedules() && a.calibration() == b.calibration();
}

Profile drawn(std::mt19937_64& random) {
  DeviceFacts facts = kDevice;
  facts.driver = random() % 2 ? "580.1" : "575.2";
  facts.sm_clock_min_mhz = 1000 + static_cast<int>(random() % 900);
  Profile profile(facts, Precision::tf32);
  const auto record = [&] {
    return ProfileEntry{0.001 * (1 + random() % 5), 0.001 * (random() % 3), 10 * static_cast<int>(random() % 3)};
  };
  for (int i = 0; i < 20; ++i) {
    profile.record_stage(key(random() % 12), record());
    profile.record_transfer(0, 1 + random() % 3, 1 << random() % 20, record());
    profile.record_schedule(std::to_string(random() % 3), std::to_string(random() % 3),
                            {record(), {.network = "net", .scheduler = random() % 2 ? "x" : "y"}, "b;1"});
  }
  return profile;
}

TEST(Profile, MergeIsAssociativeCommutativeAndIdempotent) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100; ++i) {
    const Profile a = drawn(random), b = drawn(random), c = drawn(random);
    const auto merged = [](std::initializer_list<const Profile*> list) {
      Profile sum(kDevice, Precision::tf32);
      for (const Profile* p : list) sum.merge(*p);
      return sum;
    };
    const Profile ab = merged({&a, &b}), bc = merged({&b, &c});
    EXPECT_TRUE(same(merged({&ab, &c}), merged({&a, &bc})));
    EXPECT_TRUE(same(ab, merged({&b, &a})));
    EXPECT_TRUE(same(ab, merged({&ab, &ab, &a})));
  }
}

TEST(Profile, LessNoiseWins) {
  Profile a(kDevice, Precision::fp32), b(kDevice, Precision::fp32);
  a.record_stage(key(1), {1.0, 0.02, 100});
  b.record_stage(key(1), {2.0, 0.01, 10});
  a.merge(b);
  EXPECT_EQ(a.find_stage(key(1))->ms, 2.0);
  a.record_stage(key(1), {3.0, 0.01, 20});
  EXPECT_EQ(a.find_stage(key(1))->ms, 3.0);
  EXPECT_EQ(a.find_stage(key(2)), nullptr);
}

TEST(Profile, RefusesOtherDevicesPrecisionsAndNonsense) {
  Profile a(kDevice, Precision::fp32);
  EXPECT_THROW(a.merge(Profile(kDevice, Precision::fp16)), Error);
  EXPECT_THROW(a.merge(Profile(other_device(), Precision::fp32)), Error);
  EXPECT_THROW(a.require_device("Other"), Error);
  a.require_device("Test GPU");
  EXPECT_THROW(a.record_stage(key(1), {0, 0, 1}), Error);
  EXPECT_THROW(a.record_stage(key(1), {std::nan(""), 0, 1}), Error);
  EXPECT_THROW(a.record_stage(key(1), {1, -1, 1}), Error);
  EXPECT_THROW(a.record_transfer(1, 1, 8, {1, 0, 1}), Error);
  EXPECT_TRUE(a.stages().empty());
}

TEST(Profile, TransfersInterpolate) {
  Profile p(kDevice, Precision::fp32);
  EXPECT_THROW(p.transfer_ms(0, 1, 100), Error);
  p.record_transfer(0, 1, 1000, {0.01, 0, 1});
  EXPECT_DOUBLE_EQ(p.transfer_ms(0, 1, 500), 0.01);
  EXPECT_DOUBLE_EQ(p.transfer_ms(0, 1, 2000), 0.02);
  p.record_transfer(0, 1, 3000, {0.02, 0, 1});
  EXPECT_DOUBLE_EQ(p.transfer_ms(0, 1, 1), 0.01);
  EXPECT_DOUBLE_EQ(p.transfer_ms(0, 1, 1000), 0.01);
  EXPECT_DOUBLE_EQ(p.transfer_ms(0, 1, 2000), 0.015);
  EXPECT_DOUBLE_EQ(p.transfer_ms(0, 1, 3000), 0.02);
  EXPECT_DOUBLE_EQ(p.transfer_ms(0, 1, 5000), 0.03);
  p.record_transfer(1, 0, 1000, {0.03, 0, 1});
  p.record_transfer(2, 0, 1000, {0.05, 0, 1});
  EXPECT_DOUBLE_EQ(p.transfer_ms(1, 0, 1000), 0.03);
  EXPECT_DOUBLE_EQ(p.transfer_ms(7, 9, 1000), 0.03);  // median of 0.01, 0.03, 0.05
}

TEST_F(ProfileFile, RoundTrips) {
  std::mt19937_64 random(2);
  Profile p = drawn(random);
  p.set_calibration("gap_ms", 0.0012345678);
  p.record_stage("b8 merge 64x56x56:c64 64x56x56:c32k3p1", {1.0 / 3, 1.0 / 7, 77});
  p.save(path_);
  const Profile read = Profile::load(path_);
  EXPECT_TRUE(same(p, read));
  EXPECT_EQ(read.find_stage("b8 merge 64x56x56:c64 64x56x56:c32k3p1")->ms, 0.33333);
  Profile again = Profile::load(path_);
  again.save(path_ + "2");
  EXPECT_EQ(read_file(path_), read_file(path_ + "2"));
}

TEST_F(ProfileFile, LargeOnesAreSmallOnDiskAndFastToLoad) {
  Profile p(kDevice, Precision::fp32);
  for (int i = 0; i < 100'000; ++i) p.record_stage(key(i), {0.001 * (i % 1000 + 1) / 3, 0.0031, 30});
  p.save(path_);
  EXPECT_LT(fs::file_size(path_), 5u << 20);
  const std::clock_t begin = std::clock();
  EXPECT_EQ(Profile::load(path_).stages().size(), 100'000u);
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;  // processor time
  RecordProperty("load_seconds", std::to_string(seconds));
  EXPECT_LT(seconds, 10) << "many times what it takes";
}

TEST_F(ProfileFile, JournalKeepsWhatWasNotSaved) {
  const ScheduleOrigin origin{.network = "a \"net\"",
                              .scheduler = "ios-both",
                              .options = {{"r", "1"}, {"s", "3"}},
                              .batch = 8,
                              .image = 512,
                              .gpus = 2};
  {
    Profile p = Profile::open(path_, kDevice, Precision::fp16);
    p.record_stage(key(1), {1, 0.01, 5});
    p.record_transfer(0, 1, 64, {0.5, 0, 1});
    p.record_schedule("g", "s", {{2, 0.1, 3}, origin, "d;1|2@2,1"});
    p.set_calibration("gap_ms", 3);
  }
  EXPECT_FALSE(fs::exists(path_));
  const Profile from_journal = Profile::load(path_);
  EXPECT_EQ(from_journal.precision(), Precision::fp16);
  EXPECT_EQ(from_journal.device(), kDevice);
  EXPECT_EQ(from_journal.find_schedule("g", "s")->origin, origin);
  EXPECT_EQ(from_journal.calibration().at("gap_ms"), 3);
  {
    Profile p = Profile::open(path_, kDevice, Precision::fp16);
    EXPECT_TRUE(same(p, from_journal));
    p.save(path_);
    EXPECT_EQ(fs::file_size(path_ + ".journal"), 0u);
    p.record_stage(key(2), {1, 0.01, 5});
  }
  EXPECT_EQ(Profile::load(path_).stages().size(), 2u);
  Profile::open(path_, kDevice, Precision::fp16).save(path_);
  EXPECT_FALSE(fs::exists(path_ + ".journal"));
  EXPECT_EQ(Profile::load(path_).stages().size(), 2u);
}

TEST_F(ProfileFile, KilledWritersLoseNothing) {
  int told[2];
  for (int round = 0; round < 8; ++round) {
    ASSERT_EQ(::pipe(told), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {  // measures until it is killed, and prints what it has recorded
      ::close(told[0]);
      Profile p = Profile::open(path_, kDevice, Precision::fp32);
      for (int i = static_cast<int>(p.stages().size());; ++i) {
        p.record_stage(key(i), {1.0 + i, 0.01, 5});
        if (::write(told[1], &i, sizeof i) != sizeof i) ::_exit(1);
        if (i % 500 == 499) p.save(path_);
      }
    }
    ::close(told[1]);
    int last = -1, i = 0;
    for (int n = 0; n < 200 + 301 * round && ::read(told[0], &i, sizeof i) == sizeof i; ++n) last = i;
    ::kill(child, SIGKILL);
    while (::read(told[0], &i, sizeof i) == sizeof i) last = i;
    ::close(told[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    const Profile p = Profile::load(path_);
    ASSERT_GE(static_cast<int>(p.stages().size()), last + 1);
    for (int k = 0; k <= last; ++k) ASSERT_NEAR(p.find_stage(key(k))->ms, 1.0 + k, 1e-4 * (1 + k));
  }
}

TEST_F(ProfileFile, TruncatedLastLineIsIgnoredOtherGarbageIsNot) {
  Profile::open(path_, kDevice, Precision::fp32).record_stage(key(1), {1, 0.01, 5});
  const std::string journal = path_ + ".journal", whole = read_file(journal);
  for (std::size_t size = 0; size < whole.size(); size += 1 + size / 50) {
    write_file_atomically(journal, whole.substr(0, size));
    Profile p = Profile::open(path_, kDevice, Precision::fp32);
    EXPECT_EQ(p.stages().size(), 0u);
    p.record_stage(key(2), {1, 0.01, 5});  // continues after the complete part
    EXPECT_EQ(Profile::load(path_).stages().size(), 1u);
  }
  write_file_atomically(journal, whole + "{\"stage\":[1]}\n" + "x");
  try {
    Profile::load(path_);
    FAIL() << "garbage was read";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("profile.json.journal', line 3"), std::string::npos) << e.what();
  }
}

TEST_F(ProfileFile, BadFilesAreNamed) {
  std::mt19937_64 random(3);
  drawn(random).save(path_);
  const std::string good = read_file(path_);
  const auto message = [&](const std::string& text) {
    write_file_atomically(path_, text);
    try {
      Profile::load(path_);
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(path_), std::string::npos);
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(good), "");
  for (std::size_t size = 0; size + 2 < good.size(); size += 1 + size / 5) EXPECT_NE(message(good.substr(0, size)), "");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, from.size(), to);
  };
  for (const char* other : {"\"version\":1", "\"version\":3"})
    EXPECT_NE(message(with("\"version\":2", other)).find("this program reads 2"), std::string::npos) << other;
  EXPECT_NE(message(with("opsched-profile", "something")), "");
  EXPECT_NE(message(with("tf32", "fp8")).find("fp8"), std::string::npos);
  EXPECT_NE(message(with("[\"b1 0@", "[\"b1 999@")), "");
  EXPECT_NE(message(with("[\"b1 0@", "[\"b1 zero@")), "");
  EXPECT_NE(message("[]"), "");
  fs::remove(path_);
  EXPECT_THROW(Profile::load(path_), Error);
}

TEST_F(ProfileFile, OnlyOneProcessMeasuresIntoIt) {
  Profile p = Profile::open(path_, kDevice, Precision::fp32);
  p.record_stage(key(1), {1, 0.01, 5});
  EXPECT_THROW(Profile::open(path_, kDevice, Precision::fp32), Error);
  EXPECT_EQ(Profile::load(path_).stages().size(), 1u);  // reading is allowed
}

TEST_F(ProfileFile, OpenChecksDeviceAndPrecision) {
  Profile::open(path_, kDevice, Precision::fp32).record_stage(key(1), {1, 0.01, 5});
  EXPECT_THROW(Profile::open(path_, kDevice, Precision::fp16), Error);
  EXPECT_THROW(Profile::open(path_, other_device(), Precision::fp32), Error);
  DeviceFacts newer = kDevice;
  newer.driver = "590.3";
  EXPECT_EQ(Profile::open(path_, newer, Precision::fp32).device().driver, "580.1, 590.3");
}

TEST_F(ProfileFile, DoesNotMixLatenciesOfDifferentKernels) {
  DeviceFacts refined = kDevice;
  refined.kernels = "0123abcd";
  Profile::open(path_, kDevice, Precision::fp32);  // no measurements that could be mixed
  Profile::open(path_, refined, Precision::fp32).record_stage(key(1), {1, 0.01, 5});
  EXPECT_EQ(Profile::open(path_, refined, Precision::fp32).device().kernels, "0123abcd");
  EXPECT_EQ(Profile::load(path_).device().kernels, "0123abcd");
  try {
    Profile::open(path_, kDevice, Precision::fp32);
    ADD_FAILURE() << "latencies of other kernels were taken over";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(path_), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("opsched tune"), std::string::npos) << e.what();
  }
}

/// Schedules that were found for other links are not reused.
TEST(Profile, LinksKeyDistinguishesTopologiesAndTimes) {
  const auto of = [](const Topology& topology, double ms) {
    Profile profile(kDevice, Precision::fp32);
    profile.set_topology(topology);
    if (topology.process_devices() > 0) profile.record_transfer(0, 1, 1 << 20, {ms, 0, 1}, LinkKind::nccl);
    return links_key(profile);
  };
  EXPECT_EQ(of(Topology(), 0.1), "");
  const std::string two = of(Topology(0, 1), 0.1);
  EXPECT_NE(two, "");
  EXPECT_EQ(two, of(Topology(0, 1), 0.1));
  EXPECT_NE(two, of(Topology(0, 1), 0.2));
  EXPECT_NE(two, of(Topology(0, 2), 0.1));
}

}  // namespace
}  // namespace opsched
