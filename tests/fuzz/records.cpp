// Files of records.
#include "experiments/records/records.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opsched;
  fuzz::as_file("records.jsonl", {reinterpret_cast<const char*>(data), size});
  return fuzz::accept([&] {
    for (const records::Record* record : records::Records::read(fuzz::folder()).standing()) to_line(*record);
  });
}
