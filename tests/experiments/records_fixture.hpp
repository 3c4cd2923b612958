// For tests of records: a folder, and runs and records to write to it.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/files.hpp"
#include "experiments/records/records.hpp"
#include "tests/experiments/program.hpp"

namespace opsched::test {
namespace made {

/// A run on a GPU.
inline records::Run gpu(const std::string& kernels = "9", const std::string& device = "NVIDIA H200") {
  records::Run run;
  run.device = device;
  run.driver = "580.1";
  run.cuda = "13.0";
  run.cudnn = "9.19";
  run.kernels = kernels;
  run.command = "opsched bench --out 'my results'";
  return run;
}

/// A latency of NasNet.
inline records::Record latency(double ms, Provenance provenance = Provenance::measured,
                               const std::string& scheduler = "ios-both") {
  return {.what = {.network = "nasnet", .scheduler = scheduler}, .value = ms, .unit = "ms", .provenance = provenance};
}

}  // namespace made

class RecordsTest : public testing::Test {
 protected:
  std::string folder() const { return dir_.file("results"); }
  std::string file() const { return records::records_file(folder()); }
  std::string text() const { return read_file(file()); }
  TempDir dir_;
};

}  // namespace opsched::test
