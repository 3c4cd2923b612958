// Runs the project's Python code.
#pragma once

#include <string>
#include <vector>

namespace opsched::figures {

/// Runs analysis/SCRIPT of the program's data (data_folder), with these arguments, and waits for it. The Python is that
/// of $OPSCHED_PYTHON, else the first of python3 and /usr/bin/python3, that has all modules. Throws Error that begins
/// with `kept` (what there is already): where the script is not there, where no Python has the modules (`missing` says
/// what to do), or where it fails.
void run_python(const std::string& script, const std::vector<std::string>& arguments,
                const std::vector<std::string>& modules, const std::string& kept, const std::string& missing);

}  // namespace opsched::figures
