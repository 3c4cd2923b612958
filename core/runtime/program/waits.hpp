// Which dependences between steps are executed.
#pragma once

namespace opsched {

/// Which waits of a step for others are executed: those that no other wait and no stream implies (the
/// transitive reduction), or one for every step whose output it reads (to measure what the waits cost).
enum class Waits { needed, all };

}  // namespace opsched
