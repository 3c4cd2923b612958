// Reads the protocol buffers wire format, as far as ONNX files need it.
#pragma once

#include <cstdint>
#include <string_view>

namespace opsched {

/// Walks over the fields of one message:
///   for (ProtobufReader message(bytes); message.next();) switch (message.field()) { ... }
/// Throws Error if the bytes are not a message, or a field does not have the requested type.
class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view bytes) : rest_(bytes) {}

  /// Moves to the next field; false at the end.
  bool next();
  int field() const { return field_; }

  /// An integer, or the bits of a fixed-size number.
  std::uint64_t number() const;
  std::int64_t integer() const { return static_cast<std::int64_t>(number()); }
  float real() const;
  /// A string, a message, or a packed list; part of what the reader was made from.
  std::string_view bytes() const;
  /// Calls take(std::uint64_t) for each element of a repeated number, packed or not.
  template <class Take>
  void numbers(const Take& take) const {
    if (type_ != Type::bytes) return take(number());
    for (ProtobufReader list(bytes_); !list.rest_.empty();) take(list.varint());
  }
  /// The same for numbers of a fixed size in bytes, 4 or 8; take gets their bits.
  template <class Take>
  void fixed(std::size_t size, const Take& take) const {
    if (type_ != Type::bytes) return take(number());
    for (std::string_view list = bytes_; !list.empty(); list.remove_prefix(size)) {
      if (list.size() < size) fail_in_the_middle();
      take(little_endian(list.substr(0, size)));
    }
  }

 private:
  enum class Type { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

  static std::uint64_t little_endian(std::string_view bytes);
  [[noreturn]] static void fail_in_the_middle();
  std::uint64_t varint();
  std::string_view take(std::uint64_t size);

  std::string_view rest_, bytes_;
  std::uint64_t number_ = 0;
  int field_ = 0;
  Type type_ = Type::varint;
};

}  // namespace opsched
