#include "core/text_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "core/utf8.hpp"

namespace opsched {

namespace {

/// Minimum width of the text if lines are broken at spaces, except leading ones.
std::size_t longest_word(const std::string& text) {
  std::size_t longest = 0, length = 0, indent = 0;
  bool leading = true;
  for (const char c : text) {
    if (c == '\n') leading = true, indent = length = 0;
    if (c == ' ' && leading) ++indent;
    if (c != ' ' && c != '\n') leading = false;
    length = c == ' ' || c == '\n' ? 0 : length + 1;
    longest = std::max(longest, indent + length);
  }
  return longest;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines = {""};
  for (const char c : text)
    if (c == '\n')
      lines.emplace_back();
    else
      lines.back() += c;
  return lines;
}

}  // namespace

std::string wrapped(const std::string& text, const std::string& indent, std::size_t width) {
  std::string all;
  for (std::string line : lines_of(text)) {
    if (!all.empty()) all += "\n" + indent;
    std::size_t room = width - (all.empty() ? 0 : std::min(width, indent.size()));
    const std::size_t begin = std::min(line.size(), line.find_first_not_of(' '));
    const std::string behind = indent + line.substr(0, begin);  // indentation of every continuation line
    while (line.size() > room) {
      const std::size_t first = std::min(line.size(), line.find_first_not_of(' '));
      std::size_t space = line.rfind(' ', room);
      if (space == std::string::npos || space < first) space = line.find(' ', std::max(first, room));
      if (space == std::string::npos) break;
      all += line.substr(0, line.find_last_not_of(' ', space) + 1) + "\n" + behind;
      line.erase(0, std::min(line.size(), line.find_first_not_of(' ', space)));
      room = width - std::min(width, behind.size());
    }
    all += line;
  }
  return all;
}

std::size_t TextTable::least_width(const Rows& rows, std::size_t column, bool break_all) const {
  std::size_t least = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (column >= rows[r].size()) continue;
    const bool breaks = break_all || align(column) == Align::left || (head_ && r == 0);
    least = std::max(least, breaks ? longest_word(rows[r][column]) : rows[r][column].size());
  }
  return least;
}

TextTable::Layout TextTable::layout(const Rows& rows, std::size_t room) const {
  Layout layout;
  std::vector<std::size_t>& width = layout.width;
  for (const auto& row : rows) {
    width.resize(std::max(width.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  // Narrows the widest columns that can be broken, one step at a time, so that two columns of sentences share the
  // space.
  const auto narrow = [&](bool left_only, bool break_all) {
    std::vector<std::size_t> least;
    for (std::size_t i = 0; i < width.size(); ++i)
      least.push_back(left_only && align(i) != Align::left ? width[i] : least_width(rows, i, break_all));
    while (layout.total() > room) {
      std::size_t widest = width.size();
      for (std::size_t i = 0; i < width.size(); ++i)
        if (width[i] > least[i] && (widest == width.size() || width[i] > width[widest])) widest = i;
      if (widest == width.size()) return;
      --width[widest];
    }
  };
  narrow(true, false);
  narrow(false, false);
  if (layout.total() > room) layout.gap = 1;
  narrow(false, true);
  return layout;
}

std::size_t TextTable::Layout::total() const {
  std::size_t total = width.empty() ? 0 : gap * (width.size() - 1);
  for (std::size_t w : width) total += w;
  return total;
}

std::string TextTable::line(const std::vector<std::string>& cells, const Layout& layout) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string pad(layout.width[i] - std::min(layout.width[i], cells[i].size()), ' ');
    line += std::string(i == 0 ? 0 : layout.gap, ' ') + (align(i) == Align::right ? pad + cells[i] : cells[i] + pad);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string TextTable::text(const std::string& indent) const {
  // Names come from files and may be arbitrarily long.
  constexpr std::size_t widest = 1000;
  Rows rows = rows_;
  for (auto& row : rows)
    for (std::string& cell : row) cell = printable(cell, widest);
  const Layout made = layout(rows, kTextWidth - std::min(kTextWidth, indent.size()));
  std::string text;
  for (const auto& row : rows) {
    if (row.empty()) {
      text += indent + std::string(made.total(), '-') + "\n";
      continue;
    }
    std::vector<std::vector<std::string>> cells;
    std::size_t lines = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      cells.push_back(lines_of(wrapped(row[i], "", made.width[i])));
      lines = std::max(lines, cells.back().size());
    }
    for (std::size_t l = 0; l < lines; ++l) {
      std::vector<std::string> part;
      for (const auto& cell : cells) part.push_back(l < cell.size() ? cell[l] : "");
      text += indent + line(part, made) + "\n";
    }
  }
  return text;
}

std::string fixed(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string significant(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*g", digits, value);
  return text.data();
}

std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string human_bytes(double bytes) {
  constexpr std::array units = {" B", " KB", " MB", " GB", " TB"};
  std::size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < units.size(); ++unit) bytes /= 1000;
  return fixed(bytes, unit == 0 || bytes >= 100 ? 0 : 1) + units[unit];
}

std::string human_seconds(double seconds) {
  if (seconds < 60) return fixed(seconds, seconds < 10 ? 1 : 0) + " s";
  const auto whole = std::llround(seconds);
  if (whole < 3600) return std::to_string(whole / 60) + " m " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole / 60 % 60) + " m";
}

}  // namespace opsched
