// The number formats in which a network runs.
#pragma once

#include <array>
#include <string>

namespace opsched {

/// fp32: IEEE single everywhere. tf32: fp32 storage, products on tf32 tensor cores. fp16: half storage, channels-last,
/// sums in fp32.
enum class Precision { fp32, tf32, fp16 };
inline constexpr std::array kPrecisions = {Precision::fp32, Precision::tf32, Precision::fp16};  ///< all of them
std::string to_string(Precision precision);
/// Throws Error listing the known names.
Precision parse_precision(const std::string& name);
/// Bytes of one stored activation or weight.
int element_bytes(Precision precision);
/// Number of channels that kernels read at once if a tensor has a multiple of it: 16 bytes of a channels-last tensor;
/// 1 for planar channels.
int vector_channels(Precision precision);

}  // namespace opsched
