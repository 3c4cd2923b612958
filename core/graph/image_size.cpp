#include "core/graph/image_size.hpp"

#include <charconv>

#include "core/error.hpp"

namespace opsched {

std::string to_string(const ImageSize& image) {
  const std::string height = std::to_string(image.height);
  return image.height == image.width ? height : height + "x" + std::to_string(image.width);
}

ImageSize parse_image(const std::string& text) {
  ImageSize image;
  const char *begin = text.data(), *end = begin + text.size();
  auto [at, error] = std::from_chars(begin, end, image.height);
  image.width = image.height;
  if (error == std::errc{} && at != end && *at == 'x') {
    const auto [after, wrong] = std::from_chars(at + 1, end, image.width);
    at = after;
    error = wrong;
  }
  // Accept only what to_string writes: 0512 or 512x512 would be a second name for the same case.
  const bool whole = error == std::errc{} && at == end && image.height >= 0 && image.width >= 0;
  if (!whole || (to_string(image) != text && text != to_string(image) + "x" + to_string(image)) ||
      (image != ImageSize() && (image.height == 0 || image.width == 0)))
    throw Error("image size '" + text + "': write HEIGHTxWIDTH, as in 480x640, or one number for a square");
  return image;
}

}  // namespace opsched
