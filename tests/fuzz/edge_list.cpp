// Edge lists of RandWire graphs.
#include "networks/wiring.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opsched;
  const std::string file = fuzz::as_file("edges.txt", {reinterpret_cast<const char*>(data), size});
  return fuzz::accept([&] { read_edge_list(file); });
}
