"""Runs of PyTorch, measured with the protocols of docs/measuring.md."""

from collections.abc import Callable
from typing import Any

import torch

from cases import base_of, options_of
from protocols import Cannot, in_flight_of, name_of, sample_energy, sample_lone, samples_of
from reference import INPUT_SEED, random_tensor
from timing import BURST, seconds_of
from torch_network import Values

Run = Callable[[], Any]

FLUSHES = 4  # how many L2 sizes are written to flush the cache
INPUTS = 8  # number of inputs used in turn
ROUNDS = 20  # runs in flight per sample


def sample_bursts(run: Run, count: int) -> list[float]:
    """Milliseconds of each run, in bursts, so that launches overlap with earlier runs."""
    times: list[float] = []
    while len(times) < count:
        burst = min(BURST, count - len(times) + 1)
        events = [torch.cuda.Event(enable_timing=True) for _ in range(burst + 1)]
        events[0].record()
        for event in events[1:]:
            run()
            event.record()
        torch.cuda.synchronize()
        times += [events[i].elapsed_time(events[i + 1]) for i in range(1, burst)]
    return times


def sample_behind(run: Run, count: int, before: Callable[[int], None]) -> list[float]:
    """Runs, each after the work that `before` enqueues, which the GPU's timing excludes. The first run of a batch waits
    for its own launch and is left out."""
    times: list[float] = []
    while len(times) < count:
        begin, end = ([torch.cuda.Event(enable_timing=True) for _ in range(BURST)] for _ in range(2))
        for i in range(BURST):
            before(len(times) + i)
            begin[i].record()
            run()
            end[i].record()
        torch.cuda.synchronize()
        times += [begin[i].elapsed_time(end[i]) for i in range(1, BURST)]
    return times[:count]


def sample_cold(run: Run, count: int) -> list[float]:
    memory = torch.empty(FLUSHES * torch.cuda.get_device_properties(0).L2_cache_size, dtype=torch.uint8, device="cuda")
    return sample_behind(run, count, lambda i: memory.fill_(i % 256))


def sample_rotating(run: Run, count: int, inputs: Values) -> list[float]:
    kept = {i: x.clone() for i, x in inputs.items()}
    sets = [{i: random_tensor(tuple(x.shape), INPUT_SEED + 2000 + INPUTS * n + turn, "cuda").to(x)
             for n, (i, x) in enumerate(inputs.items())} for turn in range(INPUTS)]

    def write(values: Values) -> None:
        for i, x in inputs.items():
            x.copy_(values[i])

    times = sample_behind(run, count, lambda turn: write(sets[turn % INPUTS]))
    write(kept)
    return times


def sample_in_flight(mode: str, run: Run, another: Callable[[], Run], count: int, in_flight: int) -> list[float]:
    """Total time divided by the number of runs."""
    if base_of(mode).startswith("compile") and "capture" not in options_of(mode):
        raise Cannot("the CUDA graphs of torch.compile share their memory, so that one runs at a time; measure its mode with +capture")
    runs = [run, *(another() for _ in range(in_flight - 1))]
    streams = [torch.cuda.Stream() for _ in runs]

    def rounds() -> None:
        for _ in range(ROUNDS):
            for each, stream in zip(runs, streams):
                with torch.cuda.stream(stream):
                    each()
        torch.cuda.synchronize()

    torch.cuda.synchronize()
    rounds()
    return [1e3 * seconds_of(rounds) / (ROUNDS * in_flight) for _ in range(count)]


def sample(protocol: str, mode: str, run: Run, another: Callable[[], Run], inputs: Values, device: str) -> list[float]:
    """`another` prepares the same model again in separate memory. Returns ms, or mJ for energy."""
    kind, count = name_of(protocol), samples_of(protocol)

    def finished() -> None:
        run()
        if device == "cuda":
            torch.cuda.synchronize()

    def burst() -> int:
        for _ in range(BURST - 1):
            run()
        finished()
        return BURST

    if kind == "lone":
        return sample_lone(finished, count)
    if device == "cpu":
        raise Cannot("a CPU is timed run by run: lone")
    if kind == "replays":
        return sample_bursts(run, count)
    if kind == "cold":
        return sample_cold(run, count)
    if kind == "rotating":
        return sample_rotating(run, count, inputs)
    if kind == "in-flight":
        return sample_in_flight(mode, run, another, count, in_flight_of(protocol))
    return sample_energy(burst, count)
