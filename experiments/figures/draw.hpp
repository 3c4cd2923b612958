// Pictures and pages: analysis/figures.py of the project's source.
#pragma once

#include <string>
#include <vector>

namespace opsched::figures {

/// Draws the figures (FIGURE.png, FIGURE.svg) of the folder's index, and writes their numbers and pages
/// (FIGURE.csv, FIGURE.md, README.md). Without `pictures` no pictures. Throws Error where Python or matplotlib
/// is missing, or where it fails.
void draw(const std::string& folder, const std::vector<std::string>& names, bool pictures);

}  // namespace opsched::figures
