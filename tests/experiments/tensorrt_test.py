"""The TensorRT baseline, without TensorRT: the arguments of trtexec, and the parsing of its output."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "experiments" / "baselines"))

import trtexec  # noqa: E402

SUMMARY = """&&&& RUNNING TensorRT.trtexec [TensorRT v100300] # trtexec
[I] Timing trace has 2514 queries over 3.0 s
[I] === Performance summary ===
[I] Throughput: 838.2 qps
[I] Latency: min = 9.1 ms, max = 9.2 ms, mean = 9.1 ms, median = 9.1 ms, percentile(90%) = 9.1 ms, percentile(99%) = 9.2 ms
[I] GPU Compute Time: min = 1.125 ms, max = 1.5 ms, mean = 1.19 ms, median = 1.1875 ms, percentile(90%) = 1.25 ms, percentile(95%) = 1.26 ms, percentile(99%) = 1.375 ms
[I] Total GPU Compute Time: 2.99 s
"""


def test_the_gpu_time_of_the_summary_is_read():
    assert trtexec.parse_latency(SUMMARY) == {"median": 1.1875, "min": 1.125, "max": 1.5, "p90": 1.25,
                                              "p99": 1.375, "runs": 2514, "unit": "ms"}


def test_older_summaries_have_one_percentile_and_small_numbers_an_exponent():
    text = "[I] GPU Compute Time: min = 9.5e-05 ms, max = 2 ms, mean = 1 ms, median = 1 ms, percentile(99%) = 2 ms"
    assert trtexec.parse_latency(text) == {"median": 1, "min": 9.5e-05, "max": 2, "p99": 2, "unit": "ms"}


@pytest.mark.parametrize("text, words", [("[I] hello\n[E] Could not parse the model\n", "Could not parse the model"),
                                         ("", "nothing"),
                                         ("[I] GPU Compute Time: min = 1 ms, max = 2 ms", "no median"),
                                         ("[I] Total GPU Compute Time: min = 2 s", "no GPU Compute Time")])
def test_other_texts_are_no_latency(text, words):
    with pytest.raises(trtexec.NoAnswer, match=words):
        trtexec.parse_latency(text)


@pytest.mark.parametrize("text, version", [("[TensorRT v100300]", "10.3.0"), ("[TensorRT v8601]", "8.6.1"),
                                           ("[TensorRT v101301] [b32]", "10.13.1"), ("[TensorRT v8.6.1]", "8.6.1"), ("", "")])
def test_versions(text, version):
    assert trtexec.parse_version(text) == version


def test_modes_and_precisions_are_options():
    def build(precision, mode):
        return trtexec.build_command("trtexec", "net.onnx", Path("e"), precision, mode)[4:]
    assert build("fp32", "engine") == ["--noTF32"]
    assert build("tf32", "aux-0") == ["--maxAuxStreams=0"]
    assert build("fp16", "aux-7") == ["--fp16", "--maxAuxStreams=7"]
    for mode in ("aux-8", "aux", "eager"):
        with pytest.raises(ValueError, match="engine, aux-0 to aux-7"):
            trtexec.aux_streams(mode)


FAKE = """#!PYTHON
import json, os, sys
given = dict(word.partition("=")[::2] for word in sys.argv[1:])
print("&&&& RUNNING TensorRT.trtexec [TensorRT v100300]")
if "--onnx" in given:
    assert open(given["--onnx"], "rb").read(1)
    open(given["--saveEngine"], "w").write("engine")
elif "--exportOutput" in given:
    name, file = given["--loadInputs"].split(":")
    assert os.path.getsize(file) == 4 * 2 * 3 * 8 * 8
    answer = json.load(open(os.environ["FAKE_OUTPUT"]))
    json.dump(answer, open(given["--exportOutput"], "w"))
elif "--useCudaGraph" in given:
    print("[I] GPU Compute Time: min = 1 ms, max = 3 ms, mean = 2 ms, median = 2 ms, percentile(99%) = 3 ms")
else:
    sys.exit("[E] unknown")
"""


@pytest.fixture
def network(tmp_path):
    """A graph with one convolution and known weights, its model (never read), and the output of our program."""
    numpy = pytest.importorskip("numpy")
    graph = {"format": "opsched-graph", "name": "net", "batch": 2, "operators": [
        {"name": "in", "output": [3, 8, 8]},
        {"name": "out", "inputs": [[["in", 0, 3]]], "output": [4, 8, 8],
         "layers": [{"type": "conv2d", "out_channels": 4, "kernel": [1, 1], "groups": 1}]}]}
    (tmp_path / "net.json").write_text(json.dumps(graph))
    (tmp_path / "net.json.onnx").write_bytes(b"model")
    numpy.ones(4 * 3 + 4, dtype=numpy.float32).tofile(tmp_path / "weights")
    expected = numpy.arange(4 * 8 * 8, dtype=numpy.float32)
    expected.tofile(tmp_path / "expected")
    both = numpy.concatenate([expected, 2 * expected])
    (tmp_path / "right").write_text(json.dumps([{"name": "out", "dimensions": "2x4x8x8", "values": both.tolist()}]))
    (tmp_path / "wrong").write_text(json.dumps([{"name": "out", "dimensions": "2x4x8x8", "values": (both + 1).tolist()}]))
    fake = tmp_path / "trtexec"
    fake.write_text(FAKE.replace("PYTHON", sys.executable))
    fake.chmod(0o755)
    return tmp_path


def measured(folder: Path, output: str, *more: str) -> dict:
    words = [sys.executable, PROJECT / "experiments/baselines/tensorrt_baseline.py", folder / "net.json", "--modes", "engine,aux-2",
             "--trtexec", folder / "trtexec", "--weights", folder / "weights", "--expected", folder / "expected", *more]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True,
                          env={**os.environ, "FAKE_OUTPUT": str(folder / output)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_computes_the_right_thing_has_a_latency(network):
    answer = measured(network, "right")
    assert answer["versions"] == {"tensorrt": "10.3.0"}
    assert answer["latency"]["engine"]["median"] == 2
    assert answer["latency"]["engine"]["relative_error"] == 0
    assert "at most 2 auxiliary streams" in answer["latency"]["aux-2"]["what"]


def test_protocols_are_refused_one_by_one(network):
    latency = measured(network, "right", "--measure", "lone,in-flight=2")["latency"]["engine"]
    assert latency["median"] == 2 and list(latency["protocols"]) == ["lone", "in-flight=2"]
    assert all("in its own way" in found["failed"] for found in latency["protocols"].values())


def test_what_computes_something_else_has_none(network):
    latency = measured(network, "wrong")["latency"]["engine"]
    assert "its output is wrong" in latency["failed"] and "median" not in latency


def test_a_program_that_fails_is_quoted(network):
    (network / "trtexec").write_text("#!/bin/sh\necho '[E] no GPU here'\nexit 1\n")
    assert "no GPU here" in measured(network, "right")["latency"]["engine"]["failed"]
