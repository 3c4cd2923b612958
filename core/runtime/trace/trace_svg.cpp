#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "core/runtime/trace/trace.hpp"

namespace opsched {
namespace {

constexpr double kLeft = 150, kWidth = 1200, kRight = 20, kTop = 44, kRow = 24, kBar = 20, kLetter = 6.2;
/// Okabe and Ito's colours, apart for the colour-blind too; light enough for black text.
constexpr std::array<const char*, 6> kColours = {"#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00"};
constexpr const char* kTransfer = "#999999";
constexpr const char* kStage = "#e8e8e8";

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
    else if (static_cast<unsigned char>(c) >= 32)
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

const char* colour(const TraceEvent& e) {
  if (e.kind == TraceEvent::Kind::stage) return kStage;
  if (e.kind == TraceEvent::Kind::transfer) return kTransfer;
  return kColours[static_cast<std::size_t>(std::max(0, e.stage)) % kColours.size()];
}

class Picture {
 public:
  explicit Picture(const Trace& trace) : trace_(trace), span_(std::max(trace.makespan, 1e-9)) {}

  std::string draw() {
    const double bottom = kTop + kRow * static_cast<double>(trace_.rows.size());
    const double width = kLeft + kWidth + kRight, height = bottom + 44;
    out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width << "\" height=\"" << height
         << "\" viewBox=\"0 0 " << width << ' ' << height << "\" font-family=\"sans-serif\" font-size=\"11\">\n"
         << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    text(8, 18, trace_.graph + ", " + trace_.scheduler + ", " + to_string(trace_.mode) + " mode", 14);
    text(8, 34, trace_.source);
    axis(bottom);
    for (std::size_t r = 0; r < trace_.rows.size(); ++r)
      text(8, kTop + kRow * static_cast<double>(r) + 15,
           "device " + std::to_string(trace_.rows[r].device) + ", " + trace_.rows[r].name);
    for (const TraceEvent& e : trace_.events) bar(e);
    out_ << "</svg>\n";
    return out_.str();
  }

 private:
  double x(double ms) const { return kLeft + kWidth * ms / span_; }

  void text(double left, double base, const std::string& words, int size = 11) {
    out_ << "<text x=\"" << left << "\" y=\"" << base << "\" font-size=\"" << size << "\">" << escaped(words)
         << "</text>\n";
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
    out_ << "<g><title>" << escaped(e.name) << (e.kernel.empty() ? "" : "\n" + escaped(e.kernel)) << "\n"
         << 1000 * (e.end - e.start) << " us" << (e.estimated ? " (estimated inside its stage)" : "")
         << (e.stage >= 0 ? ", stage " + std::to_string(e.stage) : "") << "</title><rect x=\"" << left << "\" y=\""
         << top << "\" width=\"" << width << "\" height=\"" << kBar << "\" fill=\"" << colour(e)
         << "\" stroke=\"#333333\" stroke-width=\"0.4\"/>";
    const auto letters = static_cast<std::size_t>(width / kLetter);
    if (letters >= 3)
      out_ << "<text x=\"" << left + 2 << "\" y=\"" << top + 14 << "\">" << escaped(e.name.substr(0, letters))
           << "</text>";
    out_ << "</g>\n";
  }

  const Trace& trace_;
  double span_;
  std::ostringstream out_;
};

}  // namespace

std::string trace_to_svg(const Trace& trace) { return Picture(trace).draw(); }

}  // namespace opsched
