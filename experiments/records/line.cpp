// Lines of a records file: JSON, one object with one key a line, which says what it is.
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "core/error.hpp"
#include "core/nesting.hpp"
#include "experiments/records/record.hpp"

namespace opsched::records {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFormat = "opsched records";
constexpr int kVersion = 1;

/// Adds what differs from what its absence means.
class Fields {
 public:
  template <class T>
  Fields& put(const char* name, const T& value, const T& absent = {}) {
    if (value != absent) json_[name] = value;
    return *this;
  }
  Fields& put(const char* name, ordered_json value) {
    if (!value.empty()) json_[name] = std::move(value);
    return *this;
  }
  ordered_json take() { return std::move(json_); }

 private:
  ordered_json json_ = ordered_json::object();
};

/// Reads an object and knows which of its keys were asked for: others are errors, for a misspelt one would be lost.
class Reader {
 public:
  explicit Reader(const ordered_json& json) : json_(json) {
    if (!json.is_object()) throw Error("not an object: " + json.dump().substr(0, 60));
  }
  template <class T>
  Reader& get(const char* name, T& value) {
    if (const auto it = json_.find(name); it != json_.end()) {
      if constexpr (std::is_same_v<T, int>)  // a conversion would take whatever is left of a larger number
        if (!it->is_number_integer() || std::abs(it->get<double>()) > std::numeric_limits<int>::max())
          throw Error(std::string(name) + " is no whole number that fits: " + it->dump().substr(0, 40));
      it->get_to(value);
      ++read_;
    }
    return *this;
  }
  const ordered_json* find(const char* name) {
    const auto it = json_.find(name);
    if (it == json_.end()) return nullptr;
    ++read_;
    return &*it;
  }
  void done() const {
    if (read_ != json_.size()) throw Error("has a key that this version does not know: " + json_.dump().substr(0, 200));
  }

 private:
  const ordered_json& json_;
  std::size_t read_ = 0;
};

std::string line_of(const char* kind, ordered_json json) {
  return ordered_json{{kind, std::move(json)}}.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void require_finite(const Record& record) {
  const auto check = [&](double value) {
    if (!std::isfinite(value)) throw Error("the record " + record.key() + " holds a number that is not finite");
  };
  if (record.value) check(*record.value);
  for (const auto& [name, value] : record.numbers) check(value);
  for (const auto& [name, column] : record.series)
    for (const double value : column) check(value);
}

ordered_json to_json(const Spread& spread) {
  Fields fields;
  fields.put("p90", spread.p90).put("p99", spread.p99).put("min", spread.min).put("max", spread.max);
  fields.put("stddev", spread.stddev).put("mad_ratio", spread.mad_ratio).put("runs", spread.runs);
  return fields.take();
}

Spread spread_from(const ordered_json& json) {
  Spread s;
  Reader reader(json);
  reader.get("p90", s.p90).get("p99", s.p99).get("min", s.min).get("max", s.max).get("stddev", s.stddev);
  reader.get("mad_ratio", s.mad_ratio).get("runs", s.runs).done();
  return s;
}

ordered_json to_json(const Clocks& clocks) {
  Fields fields;
  fields.put("sm_mhz", clocks.sm_mhz).put("memory_mhz", clocks.memory_mhz).put("throttled", clocks.throttled);
  return fields.take();
}

Clocks clocks_from(const ordered_json& json) {
  Clocks c;
  Reader(json).get("sm_mhz", c.sm_mhz).get("memory_mhz", c.memory_mhz).get("throttled", c.throttled).done();
  return c;
}

Record record_from(const ordered_json& json) {
  Record r;
  Reader reader(json);
  std::string precision = "fp32", provenance;
  reader.get("network", r.what.network).get("software", r.what.software).get("scheduler", r.what.scheduler);
  reader.get("options", r.what.options).get("batch", r.what.batch).get("image", r.what.image);
  reader.get("precision", precision).get("gpus", r.what.gpus);
  reader.get("quantity", r.quantity).get("labels", r.labels).get("missing", r.missing);
  if (const ordered_json* value = reader.find("value")) r.value = value->get<double>();
  reader.get("unit", r.unit);
  if (const ordered_json* spread = reader.find("spread")) r.spread = spread_from(*spread);
  reader.get("numbers", r.numbers).get("texts", r.texts).get("series", r.series);
  reader.get("graph", r.graph).get("schedule", r.schedule).get("kernels", r.kernels);
  if (const ordered_json* clocks = reader.find("clocks")) r.clocks = clocks_from(*clocks);
  reader.get("provenance", provenance).get("replaces", r.replaces).get("run", r.run).get("time", r.time).done();
  r.what.precision = parse_precision(precision);
  r.provenance = parse_provenance(provenance);
  if (!r.value && r.numbers.empty() && r.series.empty() && r.missing.empty())
    throw Error("a record without value, numbers, series or a reason why they are missing");
  return r;
}

Run run_from(const ordered_json& json) {
  Run r;
  Reader reader(json);
  reader.get("id", r.id).get("device", r.device).get("driver", r.driver).get("cuda", r.cuda).get("cudnn", r.cudnn);
  reader.get("kernels", r.kernels).get("software", r.software).get("command", r.command).get("note", r.note);
  reader.get("begin", r.begin).done();
  return r;
}

void dispatch(const std::string& kind, const ordered_json& json, LineVisitor& visitor) {
  if (kind == "record") return visitor.visit(record_from(json));
  if (kind == "run") return visitor.visit(run_from(json));
  if (kind == "schedule")
    return visitor.visit(ScheduleLine{.schedule = json.at("id"), .graph = json.at("graph"), .text = json.at("text")});
  if (kind == "kernels") return visitor.visit(KernelsLine{.id = json.at("id"), .choices = json.at("choices")});
  if (kind == "end") return visitor.visit(EndLine{.run = json.at("run")});
  throw Error("a line of a kind that this version does not know: '" + kind + "'");
}

}  // namespace

std::string first_line() { return ordered_json{{"format", kFormat}, {"version", kVersion}}.dump(); }

void check_first_line(const std::string& line) {
  check_nesting(line);
  const ordered_json json = ordered_json::parse(line, nullptr, false);
  if (!json.is_object() || json.value("format", ordered_json()) != kFormat)
    throw Error("is not a records file of this program");
  if (json.value("version", ordered_json()) != kVersion)
    throw Error("is of version " + json.value("version", ordered_json()).dump() + ", this program reads version " +
                std::to_string(kVersion));
}

std::string to_line(const Record& r) {
  require_finite(r);
  Fields fields;
  const std::map<std::string, std::string> none;
  fields.put("network", r.what.network).put("software", r.what.software, std::string("opsched"));
  fields.put("scheduler", r.what.scheduler).put("options", r.what.options, none);
  fields.put("batch", r.what.batch, 1).put("image", r.what.image).put("precision", to_string(r.what.precision));
  fields.put("gpus", r.what.gpus, 1).put("quantity", r.quantity, std::string("latency"));
  fields.put("labels", r.labels, none).put("missing", r.missing);
  ordered_json json = fields.take();
  if (r.value) json["value"] = *r.value;
  if (!r.unit.empty()) json["unit"] = r.unit;
  if (r.spread) json["spread"] = to_json(*r.spread);
  if (!r.numbers.empty()) json["numbers"] = r.numbers;
  if (!r.texts.empty()) json["texts"] = r.texts;
  if (!r.series.empty()) json["series"] = r.series;
  Fields rest;
  rest.put("graph", r.graph).put("schedule", r.schedule).put("kernels", r.kernels).put("clocks", to_json(r.clocks));
  json.update(rest.take());
  json["provenance"] = to_string(r.provenance);
  if (r.replaces) json["replaces"] = true;
  json["run"] = r.run;
  json["time"] = r.time;
  return line_of("record", std::move(json));
}

std::string to_line(const Run& r) {
  Fields fields;
  fields.put("id", r.id).put("device", r.device).put("driver", r.driver).put("cuda", r.cuda).put("cudnn", r.cudnn);
  fields.put("kernels", r.kernels).put("software", r.software).put("command", r.command).put("note", r.note);
  fields.put("begin", r.begin);
  return line_of("run", fields.take());
}

std::string to_line(const ScheduleLine& s) {
  return line_of("schedule", {{"id", s.schedule}, {"graph", s.graph}, {"text", s.text}});
}

std::string to_line(const KernelsLine& k) { return line_of("kernels", {{"id", k.id}, {"choices", k.choices}}); }

std::string to_line(const EndLine& end) { return line_of("end", {{"run", end.run}}); }

void read_line(const std::string& line, LineVisitor& visitor) {
  try {
    check_nesting(line);
    const ordered_json json = ordered_json::parse(line);
    if (!json.is_object() || json.size() != 1) throw Error("not an object with one key, which says what the line is");
    dispatch(json.begin().key(), json.begin().value(), visitor);
  } catch (const ordered_json::exception& e) {
    throw Error(e.what());
  }
}

}  // namespace opsched::records
