// Schedules as JSON files, by the names of operators.
//
//   {"format": "opsched schedule", "version": 1,
//    "graph": {"name": "squeezenet", "batch": 1, "fingerprint": "..."},   // what it was made for
//    "scheduler": "ios-both", "mode": "barrier",
//    "devices": [{"stages": [
//      {"strategy": "concurrent", "groups": [["a", "b"], ["c"]]},
//      {"strategy": "merge", "groups": [["d", "e"]]}]}],
//    "launch_order": [],                                                   // or every operator
//    "splits": {"f": [56]},                       // where there are any: first rows of the strips f/1, f/2, ...; f/0
//                                                 // begins at 0. Stages and orders name strips, not f
//    "operators": {"a": "...", ...}}                                       // operator_fingerprint of each
#pragma once

#include <string>

#include "core/schedule/schedule.hpp"

namespace opsched {

/// `graph`: with or without the schedule's splits.
std::string schedule_to_json(const Graph& graph, const Schedule& schedule);

/// Reads a schedule for this graph, and validates it. It fits any graph with the same operators, whatever the batch
/// and image size, so a schedule made for one batch can run at another. Throws Error beginning with `where` (the file)
/// for invalid JSON (with line and column, or the location), for another version, and for another graph, naming that
/// graph and the first operator that does not match.
Schedule schedule_from_json(const Graph& graph, const std::string& text, const std::string& where);

/// Writes atomically.
void save_schedule(const std::string& path, const Graph& graph, const Schedule& schedule);
Schedule load_schedule(const std::string& path, const Graph& graph);

}  // namespace opsched
