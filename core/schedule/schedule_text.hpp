// A schedule as one short line, used in keys and to store many schedules.
#pragma once

#include <string>

#include "core/schedule/schedule.hpp"

namespace opsched {

/// What a schedule makes devices do, by operator ids, names left out: mode (b or d); then for each
/// device ';' and its stages separated by '/', a stage's groups by '|', operators by ','; 'm' before
/// a merge; '@' before the launch order if it is set, '!' before the priorities of all operators if they
/// are, '%' before each split: its operator (in the graph that is not split), ':' and the first rows of its strips but
/// the first. "b;1,2|3/m4,5;6", "d;1,2|3@1,3,2!0,5,0,5" or "d;2,4;3,5%1:56%2:28".
std::string to_text(const Schedule& schedule);

/// Throws Error if the text is not from to_text. Not validated against a graph.
Schedule schedule_from_text(const std::string& text);

}  // namespace opsched
