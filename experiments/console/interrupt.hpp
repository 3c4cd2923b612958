// Ctrl-C and SIGTERM: the first signal asks the running command to stop, and ends the program if it has not stopped
// after 1.5 s; a second one ends it immediately.
#pragma once

namespace opsched::cli {

/// Thrown by check_interrupt(). Not an opsched::Error: nothing is wrong. The program ends with code 130.
struct Interrupted {};

/// Handles SIGINT and SIGTERM from now on.
void watch_interrupts();
/// Did the user ask to stop?
bool interrupted();
/// Throws Interrupted if so.
void check_interrupt();

}  // namespace opsched::cli
