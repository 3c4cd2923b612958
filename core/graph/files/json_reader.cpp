#include "core/graph/files/json_reader.hpp"

#include <algorithm>

#include "core/names.hpp"
#include "core/nesting.hpp"

namespace opsched {
namespace {

/// A value for an error message, shortened.
std::string text_of(const nlohmann::json& json) {
  if (json.is_structured()) return json.is_array() ? "a list" : "an object";
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

}  // namespace

nlohmann::json parse_json(const std::string& text) {
  check_nesting(text);
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& e) {
    std::string reason = e.what();  // "[json.exception...] parse error at line 1, column 3: ..."
    if (const auto end = reason.find("] "); end != std::string::npos) reason = reason.substr(end + 2);
    throw Error("not valid JSON (is the file whole?): " + reason);
  }
}

JsonReader JsonReader::at(const char* key) const {
  if (!json_->is_object()) fail("must be an object, not " + text_of(*json_));
  const auto it = json_->find(key);
  if (it == json_->end()) fail(std::string("'") + key + "' is missing");
  return {*it, where_ + ", '" + key + "'"};
}

void JsonReader::check_keys(const std::vector<std::string>& known) const {
  if (!json_->is_object()) fail("must be an object, not " + text_of(*json_));
  for (const auto& item : json_->items()) {
    if (std::ranges::find(known, item.key()) != known.end()) continue;
    fail("unknown key '" + item.key() + "'; known: " + joined(known));
  }
}

std::vector<JsonReader> JsonReader::array() const {
  if (!json_->is_array()) fail("must be a list, not " + text_of(*json_));
  std::vector<JsonReader> list;
  list.reserve(json_->size());
  for (const auto& item : *json_) list.emplace_back(item, where_);
  return list;
}

std::string JsonReader::string() const {
  if (!json_->is_string()) fail("must be a string, not " + text_of(*json_));
  return json_->get<std::string>();
}

bool JsonReader::boolean() const {
  if (!json_->is_boolean()) fail("must be true or false, not " + text_of(*json_));
  return json_->get<bool>();
}

int JsonReader::integer(int least, int most) const {
  // nlohmann::json reads a number beyond 64 bits as floating point.
  const bool fits = json_->is_number_unsigned() ? json_->get<std::uint64_t>() <= std::uint64_t(most < 0 ? 0 : most)
                                                : json_->is_number_integer() && json_->get<std::int64_t>() <= most;
  if (!fits || json_->get<std::int64_t>() < least)
    fail("must be an integer" +
         (least > std::numeric_limits<int>::min() ? " of at least " + std::to_string(least) : std::string()) +
         (most < std::numeric_limits<int>::max() ? " and at most " + std::to_string(most) : std::string()) + ", not " +
         text_of(*json_));
  return json_->get<int>();
}

double JsonReader::number() const {
  if (!json_->is_number()) fail("must be a number, not " + text_of(*json_));
  return json_->get<double>();
}

std::array<int, 2> JsonReader::pair(int least) const {
  const auto list = array();
  if (list.size() != 2) fail("must be two integers [vertical, horizontal]");
  return {list[0].integer(least), list[1].integer(least)};
}

Shape JsonReader::shape() const {
  const auto list = array();
  if (list.size() != 3) fail("must be three integers [channels, height, width]");
  return {list[0].integer(1), list[1].integer(1), list[2].integer(1)};
}

std::vector<std::string> JsonReader::strings() const {
  std::vector<std::string> list;
  for (const JsonReader& item : array()) list.push_back(item.string());
  return list;
}

}  // namespace opsched
