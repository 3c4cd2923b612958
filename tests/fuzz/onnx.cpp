// ONNX models.
#include "core/graph/onnx/onnx_import.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opsched;
  return fuzz::accept([&] { import_onnx({reinterpret_cast<const char*>(data), size}, "input", fuzz::folder()); });
}
