// What CLI11 takes though it is wrong: octal and hexadecimal numbers, nan, empty values and list entries.
#pragma once

#include <CLI/CLI.hpp>

namespace opsched::cli {

/// Adds to every option of a command what help says of its default, and checks: numbers are decimal and finite, words
/// are not empty and have no control characters, places to write to can be written.
void check_values(CLI::App& app);

/// Throws Error for an empty value, and for an empty entry of a list ("a,,b", "a,"), of the command's options.
void check_arguments(const CLI::App& app, int argc, char** argv);

}  // namespace opsched::cli
