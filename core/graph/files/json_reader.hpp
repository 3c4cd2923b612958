// Typed access to parsed JSON, with errors that give the location. Only for .cpp files.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/graph/operator.hpp"

namespace opsched {

/// Parses JSON from an untrusted source. Throws Error for invalid JSON, or if it is nested deeper than any graph file.
nlohmann::json parse_json(const std::string& text);

/// A JSON value and a description of its location.
class JsonReader {
 public:
  JsonReader(const nlohmann::json& json, std::string where) : json_(&json), where_(std::move(where)) {}

  [[noreturn]] void fail(const std::string& what) const { throw Error(where_ + ": " + what); }
  const std::string& where() const { return where_; }
  /// The same value under another name.
  JsonReader named(std::string where) const { return {*json_, std::move(where)}; }

  bool is_null() const { return json_->is_null(); }
  bool is_string() const { return json_->is_string(); }
  bool has(const char* key) const { return json_->is_object() && json_->contains(key); }
  JsonReader at(const char* key) const;
  /// Throws Error unless this is an object with no other keys.
  void check_keys(const std::vector<std::string>& known) const;

  std::vector<JsonReader> array() const;
  std::string string() const;
  bool boolean() const;
  int integer(int least = std::numeric_limits<int>::min(), int most = std::numeric_limits<int>::max()) const;
  double number() const;
  std::array<int, 2> pair(int least) const;
  Shape shape() const;
  std::vector<std::string> strings() const;

 private:
  const nlohmann::json* json_;
  std::string where_;
};

}  // namespace opsched
