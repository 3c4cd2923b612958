// Which dependences between steps become waits.
#pragma once

namespace opsched {

/// The waits of a step: those not implied by other waits or streams (the transitive reduction), or one for every step
/// whose output it reads (to measure the cost of waits).
enum class Waits { needed, all };

}  // namespace opsched
