// Records files.
#include "experiments/records/records.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opsched;
  fuzz::as_file("records.jsonl", {reinterpret_cast<const char*>(data), size});
  return fuzz::accept([&] {
    const records::Records read = records::Records::read(fuzz::folder());
    for (const records::Record* record : read.standing()) to_line(*record);
  });
}
