// Takes the keys of stages apart.
#include <algorithm>
#include <charconv>

#include "core/cost/signature/signature.hpp"
#include "core/error.hpp"

namespace opsched {
namespace {

/// A whole number of up to 8 digits; 0 if the text is not one.
int whole_number(std::string_view text) {
  const bool digits = text.size() <= 8 && text.find_first_not_of("0123456789") == std::string_view::npos;
  int number = 0;
  if (digits) std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Takes the text up to the separator, and the separator, from the front.
std::string_view next_part(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

}  // namespace

StageWords split_stage_key(std::string_view key) {
  const auto fail = [&]() -> Error { return Error("not the key of a stage: '" + std::string(key) + "'"); };
  StageWords stage;
  std::string_view rest = key;
  const std::string_view first = next_part(rest, ' ');
  if (!first.starts_with('b')) throw fail();
  stage.batch = whole_number(first.substr(1));
  if (stage.batch < 1) throw fail();
  stage.groups.emplace_back();
  while (!rest.empty()) {
    const std::string_view word = next_part(rest, ' ');
    if (word == "merge" && stage.ops.empty()) {
      stage.strategy = Strategy::merge;
    } else if (word == "|") {
      if (stage.groups.back().empty()) throw fail();
      stage.groups.emplace_back();
    } else if (!word.empty()) {
      std::string_view wiring = word;
      std::string_view images_text = next_part(wiring, '@');
      const bool fewer = images_text.find('#') != std::string_view::npos;
      const std::string_view signature = next_part(images_text, '#');
      const int images = fewer ? whole_number(images_text) : stage.batch;
      if (images < 1 || images > stage.batch) throw fail();
      stage.groups.back().push_back(static_cast<int>(stage.ops.size()));
      stage.ops.push_back({signature, images, wiring});
    }
  }
  if (stage.groups.back().empty()) throw fail();
  return stage;
}

SignedStage parse_stage_key(const std::string& key) {
  StageWords words = split_stage_key(key);
  SignedStage stage{.strategy = words.strategy, .batch = words.batch, .groups = std::move(words.groups)};
  for (auto& [signature, images, wiring] : words.ops) {
    stage.images.push_back(images);
    stage.signatures.emplace_back(signature);
    stage.ops.push_back(parse_operator_signature(stage.signatures.back()));
    std::vector<std::string>& refs = stage.refs.emplace_back();
    while (!wiring.empty()) refs.emplace_back(next_part(wiring, ','));
  }
  return stage;
}

}  // namespace opsched
