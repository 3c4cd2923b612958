// Lines of a records file: each is a JSON object with one key, which names the kind of line.
#include <cmath>
#include <concepts>
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

/// The value that an absent field stands for; nullopt: the field must be there.
template <class T>
using Absent = std::optional<std::type_identity_t<T>>;

template <class T, class U>
concept Of = std::same_as<std::remove_const_t<T>, U>;

// The fields of each kind of line, in order, shared by Writer and Reader.

void fields(auto& each, Of<Spread> auto& s) {
  each("p90", s.p90), each("p99", s.p99), each("min", s.min), each("max", s.max);
  each("stddev", s.stddev), each("mad_ratio", s.mad_ratio), each("runs", s.runs);
}

void fields(auto& each, Of<Clocks> auto& c) {
  each("sm_mhz", c.sm_mhz), each("memory_mhz", c.memory_mhz), each("throttled", c.throttled);
}

void fields(auto& each, Of<Record> auto& r) {
  each("network", r.what.network), each("file", r.what.file), each("software", r.what.software, "opsched");
  each("scheduler", r.what.scheduler), each("options", r.what.options);
  each("batch", r.what.batch, 1), each("image", r.what.image);
  each.stated("precision", r.what.precision), each("gpus", r.what.gpus, 1);
  each("quantity", r.quantity, "latency"), each("labels", r.labels), each("missing", r.missing);
  each("value", r.value), each("unit", r.unit), each("spread", r.spread);
  each("numbers", r.numbers), each("texts", r.texts), each("series", r.series);
  each("graph", r.graph), each("schedule", r.schedule), each("kernels", r.kernels), each("clocks", r.clocks);
  each("provenance", r.provenance, std::nullopt), each("replaces", r.replaces);
  each("run", r.run), each("time", r.time);
}

void fields(auto& each, Of<Run> auto& r) {
  each("id", r.id), each("device", r.device), each("driver", r.driver), each("cuda", r.cuda), each("cudnn", r.cudnn);
  each("kernels", r.kernels), each("software", r.software), each("command", r.command), each("note", r.note);
  each("begin", r.begin);
}

void fields(auto& each, Of<ScheduleLine> auto& s) {
  each("id", s.schedule, std::nullopt), each("graph", s.graph, std::nullopt), each("text", s.text, std::nullopt);
}

void fields(auto& each, Of<KernelsLine> auto& k) {
  each("id", k.id, std::nullopt), each("choices", k.choices, std::nullopt);
}

void fields(auto& each, Of<EndLine> auto& end) { each("run", end.run, std::nullopt); }

/// Writes the fields that differ from their value when absent.
class Writer {
 public:
  template <class T>
  static ordered_json json_of(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      return to_string(value);
    } else if constexpr (requires(Writer writer) { fields(writer, value); }) {
      Writer writer;
      fields(writer, value);
      return std::move(writer.json_);
    } else {
      return value;
    }
  }
  template <class T>
  void operator()(const char* name, const T& value, const Absent<T>& absent = T{}) {
    if (value != absent) json_[name] = json_of(value);
  }
  template <class T>
  void operator()(const char* name, const std::optional<T>& value) {
    if (value) json_[name] = json_of(*value);
  }
  /// Always written.
  template <class T>
  void stated(const char* name, const T& value) {
    json_[name] = json_of(value);
  }

 private:
  ordered_json json_ = ordered_json::object();
};

/// Reads an object and remembers which keys were read. Any other key is an error, because a misspelt one would be lost.
class Reader {
 public:
  template <class T>
  static void read(const ordered_json& json, T& value) {
    if constexpr (std::same_as<T, Precision>) {
      value = parse_precision(json.get<std::string>());
    } else if constexpr (std::same_as<T, Provenance>) {
      value = parse_provenance(json.get<std::string>());
    } else if constexpr (requires(Reader reader) { fields(reader, value); }) {
      Reader reader(json);
      fields(reader, value);
      reader.done();
    } else {
      if constexpr (std::same_as<T, int>)  // a conversion would silently truncate a larger number
        if (!json.is_number_integer() || std::abs(json.get<double>()) > std::numeric_limits<int>::max())
          throw Error("not an integer in range: " + json.dump().substr(0, 40));
      json.get_to(value);
    }
  }
  template <class T>
  void operator()(const char* name, T& value, const Absent<T>& absent = T{}) {
    if (const ordered_json* json = find(name))
      read(*json, value);
    else if (!absent)
      throw Error("has no '" + std::string(name) + "': " + json_.dump().substr(0, 200));
  }
  template <class T>
  void operator()(const char* name, std::optional<T>& value) {
    if (const ordered_json* json = find(name)) read(*json, value.emplace());
  }
  template <class T>
  void stated(const char* name, T& value) {
    if (const ordered_json* json = find(name)) read(*json, value);
  }

 private:
  explicit Reader(const ordered_json& json) : json_(json) {
    if (!json.is_object()) throw Error("not an object: " + json.dump().substr(0, 60));
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

  const ordered_json& json_;
  std::size_t read_ = 0;
};

void require_finite(const Record& record) {
  const auto check = [&](double value) {
    if (!std::isfinite(value)) throw Error("the record " + record.key() + " is not finite");
  };
  if (record.value) check(*record.value);
  for (const auto& [name, value] : record.numbers) check(value);
  for (const auto& [name, column] : record.series)
    for (const double value : column) check(value);
}

/// Indexed like the alternatives of Line.
constexpr const char* kKinds[] = {"record", "run", "schedule", "kernels", "end"};

template <std::size_t index = 0>
Line line_of(const std::string& kind, const ordered_json& json) {
  if constexpr (index == std::variant_size_v<Line>) {
    throw Error("a line of a type that this version does not know: '" + kind + "'");
  } else {
    if (kind != kKinds[index]) return line_of<index + 1>(kind, json);
    Line line(std::in_place_index<index>);
    Reader::read(json, std::get<index>(line));
    return line;
  }
}

}  // namespace

std::string first_line() { return ordered_json{{"format", kFormat}, {"version", kVersion}}.dump(); }

void check_first_line(const std::string& line) {
  check_nesting(line);
  const ordered_json json = ordered_json::parse(line, nullptr, false);
  if (!json.is_object() || json.value("format", ordered_json()) != kFormat)
    throw Error("is not a records file of opsched");
  if (json.value("version", ordered_json()) != kVersion)
    throw Error("has version " + json.value("version", ordered_json()).dump() + ", but this program reads version " +
                std::to_string(kVersion));
}

std::string to_line(const Line& line) {
  if (const Record* record = std::get_if<Record>(&line)) require_finite(*record);
  ordered_json json = std::visit([](const auto& what) { return Writer::json_of(what); }, line);
  return ordered_json{{kKinds[line.index()], std::move(json)}}.dump(-1, ' ', false,
                                                                    ordered_json::error_handler_t::replace);
}

Line read_line(const std::string& text) {
  try {
    check_nesting(text);
    const ordered_json json = ordered_json::parse(text);
    if (!json.is_object() || json.size() != 1)
      throw Error("not an object with one key that gives the type of the line");
    Line line = line_of(json.begin().key(), json.begin().value());
    if (const Record* r = std::get_if<Record>(&line);
        r != nullptr && !r->value && r->numbers.empty() && r->series.empty() && r->missing.empty())
      throw Error("a record without value, numbers, series or a reason why they are missing");
    return line;
  } catch (const ordered_json::exception& e) {
    throw Error(e.what());
  }
}

}  // namespace opsched::records
