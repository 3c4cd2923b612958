"""How baselines are timed: warm-up and runs within a budget, medians."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

FEWEST = 5  # timed runs, however long they take
BURST = 10


@dataclasses.dataclass
class Budget:
    """At most `runs` timed runs, in about `max_seconds`."""

    runs: int
    max_seconds: float

    def count(self, seconds_each: float) -> int:
        return max(FEWEST, min(self.runs, int(self.max_seconds / max(seconds_each, 1e-9))))

    def warm_up(self, seconds_each: float) -> int:
        """Fewer than the timed runs: a quarter of their time."""
        return max(1, min(10, int(self.max_seconds / 4 / max(seconds_each, 1e-9))))


def seconds_of(run: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def summary(times: list[float]) -> dict[str, Any]:
    """Of milliseconds, one a run or burst."""
    median = statistics.median(times)
    return {"median_ms": median, "noise": statistics.median(abs(t - median) for t in times) / median,
            "min_ms": min(times), "max_ms": max(times), "runs": len(times)}
