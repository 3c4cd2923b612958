// The number formats in which a network runs.
#pragma once

#include <array>
#include <span>
#include <string>

namespace opsched {

/// fp32: IEEE single everywhere. tf32x3: fp32 storage and accuracy, each product as three on tf32 tensor cores. tf32:
/// fp32 storage, products on tf32 tensor cores. fp16: half storage, sums in fp32. All but fp32 are channels-last.
enum class Precision { fp32, tf32x3, tf32, fp16 };
inline constexpr std::array kPrecisions = {Precision::fp32, Precision::tf32x3, Precision::tf32,
                                           Precision::fp16};  ///< all of them
/// Those that commands measure by default: the ones that other software has, too.
inline constexpr std::array kUsualPrecisions = {Precision::fp32, Precision::tf32, Precision::fp16};
std::string to_string(Precision precision);
/// "fp32, tf32"
std::string names_of(std::span<const Precision> precisions);
/// Throws Error listing the known names.
Precision parse_precision(const std::string& name);
/// Whether results are as accurate as those of fp32.
constexpr bool is_as_accurate_as_fp32(Precision precision) {
  return precision == Precision::fp32 || precision == Precision::tf32x3;
}
/// Bytes of one stored activation or weight.
int element_bytes(Precision precision);
/// Number of channels that kernels read at once if a tensor has a multiple of it: 16 bytes of a channels-last tensor;
/// 1 for planar channels.
int vector_channels(Precision precision);

}  // namespace opsched
