#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <sstream>
#include <utility>

#include "core/runtime/trace/trace.hpp"

namespace opsched {
namespace {

constexpr double kLeft = 150, kWidth = 1200, kRight = 20, kTop = 68, kRow = 24, kBar = 20, kLetter = 6.4;
/// Okabe and Ito's colours, which the colour-blind can tell apart; light enough for black text.
constexpr std::array<const char*, 6> kColours = {"#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00"};
constexpr const char* kTransfer = "#999999";
constexpr const char* kStage = "#e8e8e8";
constexpr const char* kOther = "#ffffff";  ///< events without a kind, and kinds beyond the colours

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<unsigned char>(c) >= 32 || c == '\n')
      out += c;
  }
  return out;
}

/// 1, 2 or 5 times a power of ten, so that about eight of them make `span`.
double tick_step(double span) {
  const double rough = std::max(span, 1e-9) / 8, power = std::pow(10, std::floor(std::log10(rough)));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) return factor * power;
  return 10 * power;
}

/// The kind of an event, for its colour: all merges have the same kind.
std::string kind_of(const TraceEvent& e) {
  if (e.kind == TraceEvent::Kind::stage) return "stage";
  if (e.kind == TraceEvent::Kind::transfer) return "transfer";
  return e.ops.size() > 1 ? "merge" : e.operation.empty() ? "other" : e.operation;
}

/// Kinds and their colours, the most time-consuming first.
std::vector<std::pair<std::string, const char*>> colours_of(const Trace& trace) {
  std::map<std::string, double> time;
  for (const TraceEvent& e : trace.events) time[kind_of(e)] += e.end - e.start;
  std::vector<std::string> kinds;
  for (const auto& [kind, ms] : time) kinds.push_back(kind);
  std::ranges::stable_sort(kinds, std::greater(), [&](const std::string& kind) { return time.at(kind); });
  std::vector<std::pair<std::string, const char*>> colours;
  std::size_t next = 0;
  for (const std::string& kind : kinds)
    colours.emplace_back(kind, kind == "stage"                              ? kStage
                               : kind == "transfer"                         ? kTransfer
                               : kind == "other" || next >= kColours.size() ? kOther
                                                                            : kColours[next++]);
  return colours;
}

/// The part of a name that fits: all, the part after its last slash, or nothing.
std::string fitting(const std::string& name, double width) {
  const auto letters = static_cast<std::size_t>(std::max(0.0, (width - 4) / kLetter));
  if (name.size() <= letters) return name;
  const std::string last = name.substr(name.rfind('/') + 1);
  return last.size() <= letters && name.find(" + ") == std::string::npos ? last : "";
}

class Picture {
 public:
  explicit Picture(const Trace& trace)
      : trace_(trace), span_(std::max(trace.makespan, 1e-9)), colours_(colours_of(trace)) {}

  std::string draw() {
    const double bottom = kTop + kRow * static_cast<double>(trace_.rows.size());
    const double width = kLeft + kWidth + kRight, height = bottom + 44;
    out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width << "\" height=\"" << height
         << "\" viewBox=\"0 0 " << width << ' ' << height << "\" font-family=\"sans-serif\" font-size=\"11\">\n"
         << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    text(8, 18, heading(), 14);
    text(8, 34, trace_.source);
    legend();
    axis(bottom);
    for (std::size_t r = 0; r < trace_.rows.size(); ++r)
      text(8, kTop + kRow * static_cast<double>(r) + 15,
           "device " + std::to_string(trace_.rows[r].device) + ", " + trace_.rows[r].name);
    for (bool critical : {false, true})  // critical events are drawn on top
      for (const TraceEvent& e : trace_.events)
        if (e.critical == critical) bar(e);
    out_ << "</svg>\n";
    return out_.str();
  }

 private:
  /// The heading: what runs, and how.
  std::string heading() const {
    std::ostringstream words;
    words << trace_.graph << ", batch " << trace_.batch;
    if (!trace_.precision.empty()) words << ", " << trace_.precision;
    words << ": " << trace_.scheduler << ", " << to_string(trace_.mode) << " mode";
    return words.str();
  }

  double x(double ms) const { return kLeft + kWidth * ms / span_; }

  void text(double left, double base, const std::string& words, int size = 11) {
    out_ << "<text x=\"" << left << "\" y=\"" << base << "\" font-size=\"" << size << "\">" << escaped(words)
         << "</text>\n";
  }

  void box(double left, double top, double width, double height, const char* fill, bool critical) {
    out_ << "<rect x=\"" << left << "\" y=\"" << top << "\" width=\"" << width << "\" height=\"" << height
         << "\" fill=\"" << fill << "\" stroke=\"" << (critical ? "#000000" : "#666666") << "\" stroke-width=\""
         << (critical ? 2 : 0.4) << "\"/>";
  }

  void legend() {
    double left = 8;
    const auto entry = [&](const std::string& words, const char* fill, bool critical) {
      box(left, 44, 14, 12, fill, critical);
      text(left + 19, 54, words);
      left += 36 + kLetter * static_cast<double>(words.size());
    };
    for (const auto& [kind, fill] : colours_) entry(kind, fill, false);
    if (std::ranges::any_of(trace_.events, &TraceEvent::critical))
      entry("critical path: each event waited for the previous one", "none", true);
  }

  void axis(double bottom) {
    const double step = tick_step(span_);
    for (int i = 0; i * step <= span_ * (1 + 1e-9); ++i) {
      const double at = x(i * step);
      out_ << "<path d=\"M" << at << ' ' << kTop << "V" << bottom + 4 << "\" stroke=\"#cccccc\"/>\n";
      std::ostringstream label;
      label << i * step;
      text(at - 8, bottom + 18, label.str());
    }
    text(kLeft + kWidth / 2 - 20, bottom + 36, "time in ms");
  }

  void bar(const TraceEvent& e) {
    const double left = x(e.start), width = std::max(0.3, x(e.end) - left);
    const double top = kTop + kRow * e.row + (kRow - kBar) / 2;
    out_ << "<g><title>" << escaped(title_of(e)) << "</title>";
    const auto fill = std::ranges::find(colours_, kind_of(e), &std::pair<std::string, const char*>::first)->second;
    box(left, top, width, kBar, fill, e.critical);
    if (const std::string label = fitting(e.name, width); !label.empty())
      out_ << "<text x=\"" << left + 2 << "\" y=\"" << top + 14 << "\">" << escaped(label) << "</text>";
    out_ << "</g>\n";
  }

  /// One line per fact.
  std::string title_of(const TraceEvent& e) const {
    std::ostringstream title;
    title << e.name;
    for (const std::string* line : {&e.kernel, &e.layers, &e.shape})
      if (!line->empty()) title << "\n" << *line;
    title << "\n" << 1000 * (e.end - e.start) << " us" << (e.estimated ? " (estimated within its stage)" : "");
    if (e.solo_ms > 0) title << ", alone " << 1000 * e.solo_ms << " us";
    if (e.stage >= 0) title << ", stage " << e.stage;
    if (e.waited_for.event >= 0)
      title << "\nwaited for " << trace_.events[e.waited_for.event].name << " (" << to_string(e.waited_for.why) << ")";
    if (e.critical) title << "\non the critical path";
    return title.str();
  }

  const Trace& trace_;
  double span_;
  std::vector<std::pair<std::string, const char*>> colours_;
  std::ostringstream out_;
};

}  // namespace

std::string trace_to_svg(const Trace& trace) { return Picture(trace).draw(); }

}  // namespace opsched
