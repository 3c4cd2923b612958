// Pictures and pages: analysis/figures.py of the project's source.
#pragma once

#include <string>
#include <vector>

namespace opsched::figures {

/// Draws the figures (FIGURE.png, FIGURE.svg) whose data the folder holds, and writes their pages
/// (FIGURE.md, README.md). Without `pictures` only the pages. Throws Error where Python or matplotlib
/// is missing, or where it fails.
void draw(const std::string& folder, const std::vector<std::string>& names, bool pictures);

}  // namespace opsched::figures
