#include "schedulers/options.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/names.hpp"

namespace opsched {
namespace {

/// Parses the whole text as a number; false if it is not one, is outside [min, max], or could be read as octal ("03").
template <class Number>
bool parse(const std::string& text, Number min, Number max, Number& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9') return false;
  return error == std::errc() && stop == end && value >= min && value <= max;  // also false for NaN
}

template <class Number>
std::string range(Number min, Number max) {
  std::ostringstream text;
  text << "at least " << min;
  if (max != std::numeric_limits<Number>::max()) text << " and at most " << max;
  return text.str();
}

[[noreturn]] void fail(const std::string& name, const std::string& value, const std::string& possible) {
  throw Error("option " + name + "=" + value + ": " + possible);
}

}  // namespace

int OptionReader::integer(const std::string& name, int otherwise, int min, int max) const {
  const auto it = options_.find(name);
  if (it == options_.end()) return otherwise;
  int value = 0;
  if (!parse(it->second, min, max, value)) fail(name, it->second, "must be a whole number, " + range(min, max));
  return value;
}

int OptionReader::limit(const std::string& name, int otherwise, int min) const {
  const auto it = options_.find(name);
  if (it == options_.end()) return otherwise;
  constexpr int max = std::numeric_limits<int>::max();
  if (it->second == "unlimited") return max;
  int value = 0;
  if (!parse(it->second, min, max, value))
    fail(name, it->second, "must be a whole number, " + range(min, max) + ", or 'unlimited'");
  return value;
}

double OptionReader::real(const std::string& name, double otherwise, double min, double max) const {
  const auto it = options_.find(name);
  if (it == options_.end()) return otherwise;
  double value = 0;
  if (!parse(it->second, min, max, value)) fail(name, it->second, "must be a number, " + range(min, max));
  return value;
}

std::string OptionReader::choice(const std::string& name, const std::string& otherwise,
                                 const std::vector<std::string>& words) const {
  const auto it = options_.find(name);
  if (it == options_.end()) return otherwise;
  if (std::ranges::find(words, it->second) != words.end()) return it->second;
  fail(name, it->second, "must be one of: " + joined(words));
}

}  // namespace opsched
