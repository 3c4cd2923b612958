// The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include "core/npy.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "core/error.hpp"
#include "core/files.hpp"

namespace opsched {
namespace {

static_assert(std::endian::native == std::endian::little, "files hold little-endian numbers");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kAlignment = 64;  // alignment of the values

/// The text after 'key': in the header, up to the next comma outside brackets.
std::string_view entry(std::string_view header, const std::string& key) {
  const std::size_t at = header.find("'" + key + "':");
  if (at == std::string_view::npos) throw Error("its header has no '" + key + "'");
  std::string_view rest = header.substr(at + key.size() + 3);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  if (rest.starts_with('(')) return rest.substr(0, rest.find(')') + 1);
  return rest.substr(0, rest.find_first_of(",}"));
}

std::vector<std::int64_t> shape_of(std::string_view text) {
  std::vector<std::int64_t> shape;
  const char *at = text.data(), *end = at + text.size();
  while (at != end) {
    if (*at == '(' || *at == ')' || *at == ',' || *at == ' ') {
      ++at;
      continue;
    }
    const auto [after, error] = std::from_chars(at, end, shape.emplace_back());
    if (error != std::errc{} || shape.back() < 0) throw Error("its shape is '" + std::string(text) + "'");
    at = after;
  }
  return shape;
}

NpyArray parse(std::string_view bytes) {
  if (!bytes.starts_with(kMagic) || bytes.size() < 12) throw Error("not a .npy file of NumPy");
  const bool first = bytes[6] == 1;
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
  const std::size_t length = first ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  const std::size_t begin = (first ? 10 : 12) + length;
  if (begin > bytes.size()) throw Error("its header is cut off");
  const std::string_view header = bytes.substr(first ? 10 : 12, length);
  if (const std::string_view type = entry(header, "descr"); type != "'<f4'")
    throw Error("its values are of type " + std::string(type) +
                "; only float32 ('<f4') is read: save "
                "array.astype('float32')");
  if (entry(header, "fortran_order") != "False")
    throw Error("its values are in Fortran order; save numpy.ascontiguousarray(array)");
  NpyArray array{.shape = shape_of(entry(header, "shape")), .data = {}};
  const std::size_t values = (bytes.size() - begin) / sizeof(float);
  std::size_t expected = std::ranges::count(array.shape, 0) > 0 ? 0 : 1;
  for (const std::int64_t axis : array.shape)
    if (expected <= values) expected *= static_cast<std::size_t>(axis);  // stop before it overflows
  if (expected != values || values * sizeof(float) != bytes.size() - begin)
    throw Error("it holds " + std::to_string(values) + " values, which is not what its shape " +
                std::string(entry(header, "shape")) + " says");
  array.data.resize(values);
  std::memcpy(array.data.data(), bytes.data() + begin, values * sizeof(float));
  return array;
}

}  // namespace

NpyArray read_npy(const std::string& path) {
  const MappedFile file(path);
  try {
    return parse(file.bytes());
  } catch (const Error& e) {
    throw Error("'" + path + "': " + e.what());
  }
}

std::string npy_bytes(std::span<const std::int64_t> shape, std::span<const float> data) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  for (const std::int64_t axis : shape) header += std::to_string(axis) + ",";
  header += "), }";
  header.append(kAlignment - 1 - (10 + header.size()) % kAlignment, ' ').append("\n");
  std::string bytes(kMagic);
  bytes += {1, 0, static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(data.data()), data.size_bytes());
  return bytes;
}

}  // namespace opsched
