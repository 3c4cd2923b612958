// Ctrl-C and SIGTERM: the first one asks the running command to stop, and ends the program if it has not stopped
// 1.5 s later; a second one ends it at once.
#pragma once

namespace opsched::cli {

/// Thrown by check_interrupt(). Not an opsched::Error: nothing is wrong. The program ends with code 130.
struct Interrupted {};

/// Handles SIGINT and SIGTERM from now on.
void watch_interrupts();
/// Has the user asked to stop?
bool interrupted();
/// Throws Interrupted if so.
void check_interrupt();

}  // namespace opsched::cli
