"""Inter-operator scheduling of CNN inference: records, schedules, timelines and figures of opsched (docs/python.md).

Pages and pictures of a results folder do not need pandas, so pandas is only imported by the functions that use it."""

from opsched.frames import frame, speedups
from opsched.figures import draw
from opsched.graph import Graph, Operator
from opsched.program import BadProgram, bench, find_schedule, infer, load_graph, replay, run, trace
from opsched.records import BadRecords, Provenance, Record, Records
from opsched.schedule import BadSchedule, Schedule, Stage
from opsched.timeline import BadTimeline, Event, PathTime, Timeline, plot_beside

__all__ = ["BadProgram", "BadRecords", "BadSchedule", "BadTimeline", "Event", "Graph", "Operator", "PathTime", "Provenance",
           "Record", "Records", "Schedule", "Stage", "Timeline", "bench", "draw", "find_schedule", "frame", "infer", "load_graph",
           "plot_beside", "replay", "run", "speedups", "trace"]
