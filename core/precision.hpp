// In which numbers a network runs.
#pragma once

#include <array>
#include <string>

namespace opsched {

/// fp32: IEEE single throughout. tf32: fp32 storage, products on tf32 matrix units.
/// fp16: half storage, channels-last, sums in fp32.
enum class Precision { fp32, tf32, fp16 };
inline constexpr std::array kPrecisions = {Precision::fp32, Precision::tf32, Precision::fp16};  ///< all of them
std::string to_string(Precision precision);
/// Throws Error listing the known names.
Precision parse_precision(const std::string& name);
/// Bytes of one stored activation or weight.
int element_bytes(Precision precision);
/// Channels that kernels read at once where a tensor has a multiple of so many: 16 bytes of a
/// channels-last tensor; 1 where channels are planes.
int vector_channels(Precision precision);

}  // namespace opsched
