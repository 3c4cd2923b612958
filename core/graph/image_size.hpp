// Height and width of the images that a graph reads.
#pragma once

#include <compare>
#include <string>

namespace opsched {

/// Pixels. 0x0: the default of the network or model. A single number is a square.
struct ImageSize {
  int height = 0, width = 0;

  constexpr ImageSize() = default;
  constexpr ImageSize(int side) : height(side), width(side) {}  // NOLINT(google-explicit-constructor)
  constexpr ImageSize(int h, int w) : height(h), width(w) {}
  auto operator<=>(const ImageSize&) const = default;
};

/// "512" for a square, "480x640" (height first) for others.
std::string to_string(const ImageSize& image);
/// Parses such a text. Throws Error quoting an invalid one.
ImageSize parse_image(const std::string& text);

/// In JSON (nlohmann) a square is a number, any other size a string.
template <class Json>
void to_json(Json& json, const ImageSize& image) {
  if (image.height == image.width)
    json = image.height;
  else
    json = to_string(image);
}
template <class Json>
void from_json(const Json& json, ImageSize& image) {
  image = parse_image(json.is_string() ? json.template get<std::string>() : json.dump());
}

}  // namespace opsched
