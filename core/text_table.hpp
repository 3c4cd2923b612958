// Text tables, and numbers as text.
#pragma once

#include <string>
#include <vector>

namespace opsched {

enum class Align { left, right };

/// Columns are padded to their widest cell.
class TextTable {
 public:
  /// Columns beyond those given are aligned like the last.
  explicit TextTable(std::vector<Align> columns) : columns_(std::move(columns)) {}
  /// With a head, and a rule below it.
  TextTable(std::vector<Align> columns, std::vector<std::string> head) : columns_(std::move(columns)) {
    add(std::move(head));
    add_rule();
  }

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// A line between the rows before and after.
  void add_rule() { rows_.emplace_back(); }
  std::string text(const std::string& indent = "") const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;  ///< an empty one is a rule
};

/// Fixed-point with so many digits behind the point.
std::string fixed(double value, int digits);
/// Rounded to so many digits in all; 0.8, 200, 1.5e-05.
std::string significant(double value, int digits);
/// "1 device", "2 devices".
std::string counted(std::size_t count, const std::string& what);
/// 1234 -> "1.2 KB", in powers of 1000.
std::string human_bytes(double bytes);
/// 93 -> "1 m 33 s".
std::string human_seconds(double seconds);

}  // namespace opsched
