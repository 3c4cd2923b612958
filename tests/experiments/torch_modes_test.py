"""Names of PyTorch's modes and, if PyTorch is installed, their results on the CPU."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
BASELINES = PROJECT / "experiments" / "baselines"
sys.path.insert(0, str(BASELINES))

from cases import base_of, known_mode, options_of, without_limit  # noqa: E402
from protocols import SAMPLES, known_protocol  # noqa: E402

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="no PyTorch")


def test_names():
    assert known_mode("graph-nhwc") == "sequential-nhwc"
    assert known_mode("graph+limit0") == "sequential+limit0"
    assert known_mode("compile+freeze+mm-nhwc") == "compile+mm+freeze-nhwc"
    assert base_of("compile-max-autotune+mm") == "compile-max-autotune"
    assert options_of("compile+mm+freeze-nhwc") == ["mm", "freeze"]
    assert without_limit("opara+limit0") and not without_limit("compile+mm")


@pytest.mark.parametrize("mode, words", [("compile+fast", "there are: limit0, layout"), ("eager+mm", "only limit0"),
                                         ("compile+mm+mm", "repeat"), ("compile+layout+nolayout", "contradict")])
def test_options_that_do_not_go_are_errors(mode, words):
    with pytest.raises(ValueError, match=words):
        known_mode(mode)


@pytest.fixture
def graph(tmp_path):
    file = tmp_path / "net.json"
    conv = {"type": "conv2d", "out_channels": 8, "kernel": [1, 1], "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1],
            "groups": 1, "activation": "relu"}
    file.write_text(json.dumps({"format": "opsched-graph", "name": "net", "batch": 1, "operators": [
        {"name": "in", "output": [3, 8, 8]},
        {"name": "a", "inputs": [[["in", 0, 3]]], "output": [8, 8, 8], "layers": [conv]},
        {"name": "b", "inputs": [[["a", 0, 8]]], "output": [8, 8, 8], "layers": [conv]}]}))
    return file


@needs_torch
def test_every_option_computes_what_eager_does(graph):
    modes = "eager,compile,compile+nolayout,compile+layout,compile+mm,compile+freeze,compile+mm+freeze"
    done = subprocess.run([sys.executable, BASELINES / "torch_baseline.py", graph, "--device", "cpu", "--modes", modes,
                           "--max-seconds", "0.01"], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
    latency = json.loads(done.stdout)["latency"]
    assert list(latency) == modes.split(",")
    for mode, entry in latency.items():
        assert entry.get("median", 0) > 0, (mode, entry)


@needs_torch
def test_what_folds_its_input_is_found_out(graph):
    import torch
    import torch_baseline
    loaded = torch_baseline.Loaded(str(graph), "fp32", "cpu", None, None)
    with torch.no_grad():
        network, inputs = loaded.lay_out("eager")
        folded = [y.clone() for y in network(inputs)]
        before = {i: x.clone() for i, x in inputs.items()}
        assert torch_baseline.fresh_error(lambda: folded, network, inputs) > 0.1
        assert torch_baseline.fresh_error(lambda: network(inputs), network, inputs) == 0
    assert all(torch.equal(x, before[i]) for i, x in inputs.items())


@needs_torch
def test_limits_do_not_mix(graph):
    done = subprocess.run([sys.executable, BASELINES / "torch_baseline.py", graph, "--device", "cpu", "--modes",
                           "eager,eager+limit0"], capture_output=True, text=True)
    assert done.returncode == 2 and "a process each" in done.stderr


@pytest.mark.parametrize("protocol, words", [("warm", "there are: replays, lone"), ("lone=2", "there are"), ("in-flight", "from 2"),
                                             ("in-flight=1", "from 2"), ("in-flight=x", "from 2"), ("burst", "there are")])
def test_protocols_that_do_not_exist_are_errors(protocol, words):
    with pytest.raises(ValueError, match=words):
        known_protocol(protocol)


def test_protocols_are_those_of_the_program():
    source = (PROJECT / "core" / "runtime" / "protocol.cpp").read_text()
    named = dict(re.findall(r'\{"([a-z-]+)", Kind::[a-z_]+, ([0-9]+)\}', source))
    assert {name: int(count) for name, count in named.items()} == {"burst": 0, **SAMPLES}


@needs_torch
def test_protocols_are_measured_or_say_why_not(graph):
    done = subprocess.run([sys.executable, BASELINES / "torch_baseline.py", graph, "--device", "cpu", "--modes", "eager", "--measure",
                           "lone,cold,in-flight=2", "--max-seconds", "0.01"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["latency"]["eager"]["protocols"]
    assert found["lone"]["runs"] == SAMPLES["lone"] and found["lone"]["unit"] == "ms"
    assert found["lone"]["min"] <= found["lone"]["median"] <= found["lone"]["p90"] <= found["lone"]["p99"] <= found["lone"]["max"]
    assert "run by run" in found["cold"]["failed"] and "run by run" in found["in-flight=2"]["failed"]
