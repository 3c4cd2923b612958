"""How repeated runs of a baseline are measured in addition to bursts: the protocols of `opsched bench --measure`
(docs/measuring.md), with the same names and numbers of samples."""

import argparse
import time
from collections.abc import Callable
from typing import Any

import gpu
from timing import seconds_of, summary

SAMPLES = {"replays": 1000, "lone": 200, "cold": 200, "rotating": 200, "in-flight": 20, "energy": 5}
MOST_IN_FLIGHT = 64
ENERGY_SECONDS = 1.0  # seconds per sample, for several updates of the driver's counter


class Cannot(Exception):
    """The reason why a baseline cannot be measured with a protocol."""


def name_of(protocol: str) -> str:
    """Such as "in-flight" for "in-flight=2"."""
    return protocol.split("=")[0]


def in_flight_of(protocol: str) -> int:
    """Number of concurrent runs; 1 except for in-flight=N."""
    return int(protocol.split("=")[1]) if "=" in protocol else 1


def samples_of(protocol: str) -> int:
    return SAMPLES[name_of(protocol)]


def unit_of(protocol: str) -> str:
    return "mJ" if protocol == "energy" else "ms"


def labels_of(protocol: str) -> dict[str, str]:
    """The labels of its record."""
    labels = {"protocol": name_of(protocol)}
    return labels | ({"in_flight": str(in_flight_of(protocol))} if "=" in protocol else {})


def known_protocol(text: str) -> str:
    """Checks the name of a protocol and returns it. ValueError for an unknown one."""
    name, equals, number = text.partition("=")
    if name not in SAMPLES or (equals and name != "in-flight"):
        known = ", ".join(p + ("=N" if p == "in-flight" else "") for p in SAMPLES)
        raise ValueError(f"unknown protocol {text}; there are: {known}")
    if name == "in-flight" and not (number.isdigit() and 2 <= int(number) <= MOST_IN_FLIGHT):
        raise ValueError(f"{text}: say how many runs are in flight, from 2 to {MOST_IN_FLIGHT}, as in in-flight=2")
    return text


def protocols_of(text: str) -> list[str]:
    """The protocols of an option. ArgumentTypeError for unknown ones."""
    try:
        return [known_protocol(word) for word in text.split(",") if word]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def sample_lone(run: Callable[[], Any], count: int) -> list[float]:
    """Milliseconds by the host's clock. `run` returns when its result is there."""
    return [1e3 * seconds_of(run) for _ in range(count)]


def sample_energy(burst: Callable[[], int], count: int) -> list[float]:
    """mJ per run, for the whole GPU. `burst` returns the number of runs that it has finished."""
    meter = gpu.EnergyMeter()
    samples = []
    for _ in range(count):
        before, begin, runs = meter.millijoules(), time.perf_counter(), 0
        while time.perf_counter() - begin < ENERGY_SECONDS:
            runs += burst()
        samples.append((meter.millijoules() - before) / runs)
    return samples


def measured(protocols: list[str], sample: Callable[[str], list[float]]) -> dict[str, Any]:
    """A summary for each protocol, or the reason for having none."""
    entries: dict[str, Any] = {}
    for protocol in protocols:
        try:
            entries[protocol] = summary(sample(protocol), unit_of(protocol))
        except (Cannot, OSError, gpu.NoEnergy) as why:
            entries[protocol] = {"failed": str(why)}
    return entries
