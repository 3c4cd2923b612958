// Checks of arguments beyond those of CLI11.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "core/files.hpp"
#include "core/utf8.hpp"
#include "experiments/cli/command.hpp"
#include "experiments/records/records.hpp"

namespace opsched::cli {
namespace {

/// The reason why the text is not a whole number; empty if it is one.
std::string whole_number(const std::string& text, bool negative) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return "'" + text + "' is too large";
  const std::string digits = text.starts_with("-") ? text.substr(1) : text;
  const bool leading_zero = digits.size() > 1 && digits.front() == '0';
  if (error != std::errc{} || end != text.data() + text.size() || leading_zero)
    return "'" + text + "' is not a whole number (decimal, without leading zeros)";
  return value < 0 && !negative ? "'" + text + "' is negative" : "";
}

std::string real_number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool number = error == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
  return number ? "" : "'" + text + "' is not a number";
}

std::string word(const std::string& text) {
  const bool control = std::ranges::any_of(text, [](unsigned char c) { return std::iscntrl(c) != 0; });
  return control ? "contains a control character" : "";
}

/// Checks before the work that the file can be written.
std::string place_of_file(const std::string& path) {
  try {
    require_writable(path);
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

std::string place_of_folder(const std::string& path) { return place_of_file(records::records_file(path)); }

void check_value(const std::string& name, const std::string& value, bool list) {
  if (value.empty()) throw Error(name + ": the value is empty");
  if (list && (value.front() == ',' || value.back() == ',' || value.find(",,") != std::string::npos))
    throw Error(name + " '" + value + "': the list has an empty entry");
}

}  // namespace

void keep_lists_short(CLI::App& app) {
  const std::vector<CLI::Option*> options = app.get_options();
  if (std::ranges::none_of(options, [](const CLI::Option* o) { return o->get_positional(); })) return;
  for (CLI::Option* option : options)
    if (option->get_delimiter() == ',' && !option->get_positional()) option->allow_extra_args(false);
}

void check_values(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    // Help shows every default except empty lists.
    if (option->get_default_str().empty()) option->capture_default_str();
    if (option->get_default_str() == "[]") option->default_str("");
    const std::string type = option->get_type_name();
    const std::string kind = type.substr(0, type.find_first_of(":= ["));  // "FLOAT:POSITIVE", "INT in [1 - 9]"
    if (kind == "INT" || kind == "UINT")
      option->check([unsigned_ = kind == "UINT"](const std::string& text) { return whole_number(text, !unsigned_); },
                    "");
    else if (kind == "FLOAT")
      option->check(real_number, "");
    else if (kind == "TEXT")
      option->check(word, "");
    if (option->check_name("--output") || option->check_name("--gantt")) option->check(place_of_file, "");
    if (option->check_name("--out")) option->check(place_of_folder, "");
  }
}

void check_arguments(const CLI::App& app, int argc, char** argv) {
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const bool may_name = name.starts_with("-") && name.size() > 1;
    const CLI::Option* option = may_name ? app.get_option_no_throw(name) : nullptr;
    if (option == nullptr) {
      if (argument.empty()) throw Error("an argument is empty (number " + std::to_string(i) + ")");
      continue;
    }
    const bool list = option->get_delimiter() != '\0';
    if (equals != std::string::npos)
      check_value(name, argument.substr(equals + 1), list);
    else if (option->get_items_expected_min() > 0 && i + 1 < argc)
      check_value(name, argv[++i], list);
  }
}

}  // namespace opsched::cli
