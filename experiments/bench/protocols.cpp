#include "experiments/bench/protocols.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/text_table.hpp"
#include "experiments/bench/runner.hpp"

namespace opsched::bench {

std::vector<Protocol> parse_protocols(const std::vector<std::string>& names) {
  std::vector<Protocol> protocols;
  for (const std::string& name : names) {
    protocols.push_back(parse_protocol(name));
    if (std::ranges::count(protocols, protocols.back()) > 1) throw Error("'" + name + "' is given twice");
  }
  return protocols;
}

std::string protocols_help() {
  return "Also measure by these protocols, as in lone,in-flight=2: " + known_protocols() +
         " (docs/measuring.md explains which to quote)";
}

records::Record protocol_record(const Protocol& protocol, const records::Case& what) {
  records::Record record{.what = what, .quantity = "protocol", .unit = protocol.unit()};
  const std::string name = protocol.name();
  record.labels["protocol"] = name.substr(0, name.find('='));
  if (protocol.kind == Protocol::Kind::in_flight) record.labels["in_flight"] = std::to_string(protocol.in_flight);
  return record;
}

records::Record measure_by(const Protocol& protocol, const records::Case& what, Executor& executor) {
  records::Record record = protocol_record(protocol, what);
  try {
    const Measurement runs =
        protocol.kind == Protocol::Kind::burst ? executor.measure({}) : sampled(executor, executor.sample_by(protocol));
    put_latency(record, runs);
    record.unit = protocol.unit();
    if (protocol.kind != Protocol::Kind::energy)
      record.numbers["images_per_second"] = 1000.0 * what.batch / runs.median;
    else
      record.numbers["images_per_joule"] = 1000.0 * what.batch / runs.median;
  } catch (const DeviceLost&) {
    throw;
  } catch (const Error& e) {
    record.unit.clear();
    record.missing = e.what();
  }
  return record;
}

std::string protocol_text(const records::Record& record) {
  if (!record.missing.empty()) return "cannot: " + record.missing;
  std::string text = "p50 " + significant(*record.value, 4);
  if (record.spread)
    text += ", p90 " + significant(record.spread->p90, 4) + ", p99 " + significant(record.spread->p99, 4) + ", worst " +
            significant(record.spread->max, 4);
  text += " " + record.unit;
  if (record.spread) text += ", " + std::to_string(record.spread->runs) + " samples";
  if (const auto rate = record.numbers.find("images_per_second"); rate != record.numbers.end())
    text += "; " + significant(rate->second, 4) + " images per second";
  if (const auto rate = record.numbers.find("images_per_joule"); rate != record.numbers.end())
    text += "; " + significant(rate->second, 3) + " images per joule";
  if (record.clocks.throttled) text += "; THROTTLED";
  return text;
}

}  // namespace opsched::bench
