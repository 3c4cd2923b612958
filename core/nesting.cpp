#include "core/nesting.hpp"

#include <string>

#include "core/error.hpp"

namespace opsched {

void check_nesting(std::string_view json) {
  constexpr int most = 64;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > most)
        throw Error("lists nested deeper than " + std::to_string(most) + ", the limit; is it the right file?");
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

}  // namespace opsched
