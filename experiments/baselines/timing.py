"""How baselines are timed: warm-up and runs within a budget, medians."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

FEWEST = 5  # minimum number of timed runs, however long they take
BURST = 10


@dataclasses.dataclass
class Budget:
    """At most `runs` timed runs, in about `max_seconds`."""

    runs: int
    max_seconds: float

    def count(self, seconds_each: float) -> int:
        return max(FEWEST, min(self.runs, int(self.max_seconds / max(seconds_each, 1e-9))))

    def warm_up(self, seconds_each: float) -> int:
        """At most 10 runs, in about a quarter of the time of the timed runs."""
        return max(1, min(10, int(self.max_seconds / 4 / max(seconds_each, 1e-9))))


def seconds_of(run: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def quantile(values: list[float], q: float) -> float:
    """Interpolates between the two neighbouring samples, as in core/statistics.hpp."""
    ordered = sorted(values)
    at = q * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def summary(samples: list[float], unit: str = "ms") -> dict[str, Any]:
    """One sample per run or burst."""
    median = quantile(samples, 0.5)
    return {"median": median, "noise": quantile([abs(s - median) for s in samples], 0.5) / median,
            "p90": quantile(samples, 0.9), "p99": quantile(samples, 0.99), "min": min(samples), "max": max(samples),
            "runs": len(samples), "unit": unit}
