#include "core/runtime/protocol.hpp"

#include <charconv>
#include <chrono>

#include "core/error.hpp"
#include "core/names.hpp"

namespace opsched {
namespace {

struct KnownProtocol {
  std::string name;
  Protocol::Kind kind;
  int samples;
};

const std::vector<KnownProtocol>& protocol_list() {
  using Kind = Protocol::Kind;
  static const std::vector<KnownProtocol> list = {{"burst", Kind::burst, 0},         {"replays", Kind::replays, 1000},
                                                  {"lone", Kind::lone, 200},         {"cold", Kind::cold, 200},
                                                  {"rotating", Kind::rotating, 200}, {"in-flight", Kind::in_flight, 20},
                                                  {"energy", Kind::energy, 5}};
  return list;
}

const KnownProtocol& known_protocol(Protocol::Kind kind) {
  for (const KnownProtocol& known : protocol_list())
    if (known.kind == kind) return known;
  throw Error("a protocol without a name");
}

int parse_in_flight(const std::string& text, const std::string& number) {
  constexpr int most = 64;
  int count = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
  if (error != std::errc() || end != number.data() + number.size() || count < 2 || count > most)
    throw Error("'" + text + "': say how many runs are in flight, from 2 to " + std::to_string(most) +
                ", as in in-flight=2");
  return count;
}

}  // namespace

std::string Protocol::name() const {
  std::string all = known_protocol(kind).name;
  if (kind == Kind::in_flight) all.append("=").append(std::to_string(in_flight));
  return all;
}

std::string Protocol::unit() const { return kind == Kind::energy ? "mJ" : "ms"; }

int Protocol::samples() const { return known_protocol(kind).samples; }

std::string known_protocols() {
  return joined(protocol_list(), [](const KnownProtocol& known) {
    return known.name + (known.kind == Protocol::Kind::in_flight ? "=N" : "");
  });
}

Protocol parse_protocol(const std::string& text) {
  const std::string name = text.substr(0, text.find('='));
  for (const KnownProtocol& known : protocol_list()) {
    if (known.name != name) continue;
    if (known.kind == Protocol::Kind::in_flight)
      return {.kind = known.kind,
              .in_flight = parse_in_flight(text, text.substr(std::min(text.size(), name.size() + 1)))};
    if (name != text) throw Error("'" + text + "': " + name + " takes no number");
    return {.kind = known.kind};
  }
  throw Error("unknown protocol '" + text + "' to measure by; known: " + known_protocols());
}

std::vector<double> host_samples(int count, const std::function<void(int)>& before, const std::function<void()>& run) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> ms;
  for (int i = 0; i < count; ++i) {
    if (before) before(i);
    const Clock::time_point start = Clock::now();
    run();
    ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  return ms;
}

}  // namespace opsched
