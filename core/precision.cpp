#include "core/precision.hpp"

#include "core/names.hpp"

namespace opsched {

std::string to_string(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::tf32x3:
      return "tf32x3";
    case Precision::tf32:
      return "tf32";
    default:
      return "fp16";
  }
}

std::string names_of(std::span<const Precision> precisions) { return joined(precisions, to_string); }

Precision parse_precision(const std::string& name) {
  for (const Precision precision : kPrecisions)
    if (name == to_string(precision)) return precision;
  throw Error("unknown precision '" + name + "'; known: " + names_of(kPrecisions));
}

int element_bytes(Precision precision) { return precision == Precision::fp16 ? 2 : 4; }

int vector_channels(Precision precision) { return precision == Precision::fp32 ? 1 : 16 / element_bytes(precision); }

}  // namespace opsched
