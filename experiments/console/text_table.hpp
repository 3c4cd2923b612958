// Text tables: columns padded to their widest cell.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace opsched::cli {

enum class Align { left, right };

class TextTable {
 public:
  /// Columns beyond those given are aligned like the last.
  explicit TextTable(std::vector<Align> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// A line between the rows before and after.
  void add_rule() { rows_.emplace_back(); }
  void print(std::ostream& out, const std::string& indent = "") const;

 private:
  std::vector<Align> columns_;
  std::vector<std::vector<std::string>> rows_;  ///< an empty one is a rule
};

/// Fixed-point with so many digits behind the point.
std::string fixed(double value, int digits);
/// 1234 -> "1.2 KB", in powers of 1000.
std::string human_bytes(double bytes);
/// 93 -> "1 m 33 s".
std::string human_seconds(double seconds);

}  // namespace opsched::cli
