#include "core/runtime/program/resize_taps.hpp"

#include <algorithm>
#include <cmath>

namespace opsched {

std::vector<ResizeTap> resize_taps(const Resize2d& resize, int d, int in, int out) {
  const double scale = resize.scale[d] > 0 ? resize.scale[d] : static_cast<double>(out) / in;
  std::vector<ResizeTap> result;
  for (int o = 0; o < out; ++o) {
    double at = 0;
    if (resize.coordinates == Coordinates::half_pixel)
      at = (o + 0.5) / scale - 0.5;
    else if (resize.coordinates == Coordinates::asymmetric)
      at = o / scale;
    else if (out > 1)
      at = o * (in - 1.0) / (out - 1.0);
    const auto inside = [&](double pixel) { return static_cast<int>(std::clamp(pixel, 0.0, in - 1.0)); };
    if (resize.interpolation == Interpolation::linear) {
      const double floor = std::floor(at);
      result.push_back({inside(floor), inside(floor + 1), static_cast<float>(at - floor)});
      continue;
    }
    const double pixel = resize.rounding == Rounding::floor     ? std::floor(at)
                         : resize.rounding == Rounding::ceil    ? std::ceil(at)
                         : resize.rounding == Rounding::half_up ? std::floor(at + 0.5)
                                                                : std::ceil(at - 0.5);
    result.push_back({inside(pixel), inside(pixel), 0});
  }
  return result;
}

}  // namespace opsched
