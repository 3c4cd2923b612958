"""Records in Python: the rules of experiments/records, and docs/records.schema.json for every records file."""

import json
import os
import random
import sys
from pathlib import Path

import jsonschema
import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "analysis"))

from opsched.records import (BadRecords, Clocks, Provenance, Record, RecordFile, Records, Run, Spread, comparable,  # noqa: E402
                     record_from_json, record_to_json)

SCHEMA = jsonschema.Draft202012Validator(json.loads((PROJECT / "docs/records.schema.json").read_text()))
H200 = Run(device="NVIDIA H200", kernels="9", command="opsched bench")


def record(ms: float | None = 1.0, **other) -> Record:
    return Record(**{"network": "squeezenet", "scheduler": "dataflow", "value": ms, "unit": "ms", **other})


def written(folder: Path, *records: Record, run: Run = H200) -> Records:
    with RecordFile(folder, run) as file:
        for r in records:
            file.add(r)
        file.finish()
    return Records.read(folder)


def random_record(rng: random.Random) -> Record:
    def texts() -> dict[str, str]:
        return {f"k{i}": rng.choice(["a", "é ~", "x=1,y"]) for i in range(rng.randrange(3))}

    return record(
        rng.choice([None, rng.random() * 1e3]), network=rng.choice(["", "nasnet"]), software=rng.choice(["opsched", "jax"]),
        options=texts(), batch=rng.randint(1, 128), image=rng.choice([0, 512, "480x640"]), gpus=rng.randint(1, 4),
        precision=rng.choice(["fp32", "tf32", "fp16"]), quantity=rng.choice(["latency", "roofline"]), labels=texts(),
        spread=rng.choice([Spread(), Spread(min=0.1, max=2.5, mad_ratio=0.01, runs=36)]),
        numbers={"stages": 3, "bound_ms": rng.random()}, texts=texts(), series=rng.choice([{}, {"at_ms": [0.0, 1e-9]}]),
        graph=rng.choice(["", f"{rng.getrandbits(64):016x}"]), clocks=rng.choice([Clocks(), Clocks(1980, 3201, True)]),
        provenance=rng.choice(list(Provenance)), replaces=rng.random() < 0.1)


def test_what_is_written_is_read_and_fits_the_schema(tmp_path):
    rng = random.Random(1)
    records = [random_record(rng) for _ in range(200)]
    for r in records:
        assert record_from_json(json.loads(json.dumps(record_to_json(r)))) == r
    with RecordFile(tmp_path, Run(device="NVIDIA H200", software={"torch": "2"}, note="é")) as file:
        kept = [r for r in records if file.add(r)]
        file.finish()
    schedule = {"id": "0123456789abcdef", "graph": "0123456789abcdef", "text": "b;1/2"}  # as written by C++
    with (tmp_path / "records.jsonl").open("a") as lines:
        lines.write(json.dumps({"schedule": schedule}) + "\n")
    read = Records.read(tmp_path)
    assert [record_to_json(r) | {"run": "", "time": ""} for r in read.all] == [
        record_to_json(r) | {"run": "", "time": ""} for r in kept]
    assert read.schedules == {"0123456789abcdef": ("0123456789abcdef", "b;1/2")}
    for line in (tmp_path / "records.jsonl").read_text().splitlines():
        SCHEMA.validate(json.loads(line))


@pytest.mark.parametrize("file", sorted(PROJECT.glob("results/**/records.jsonl")), ids=lambda f: f.parent.name)
def test_files_of_results_fit_the_schema(file):
    runs, used, ended = set(), set(), set()
    for number, text in enumerate(file.read_text().splitlines(), 1):
        line = json.loads(text)
        error = next(SCHEMA.iter_errors(line), None)
        assert error is None, f"{file}:{number}: {error.message if error else ''}"
        runs |= {line["run"]["id"]} if "run" in line else set()
        used |= {line["record"]["run"]} if "record" in line else set()
        ended |= {line["end"]["run"]} if "end" in line else set()
    assert used <= runs, "records of runs that are not in the file"
    assert ended <= runs


@pytest.mark.parametrize("bad", [{"value": 1}, {"precision": "fp32", "provenance": "guessed", "value": 1},
                                 {"precision": "fp32", "provenance": "measured"},
                                 {"precision": "fp32", "provenance": "measured", "value": 1, "speed": 2}])
def test_a_wrong_record_is_refused_by_reader_and_schema(bad):
    with pytest.raises(BadRecords):
        record_from_json(bad)
    assert not SCHEMA.is_valid({"record": {"run": "0" * 16, "time": "2026-11-28T00:00:00Z", **bad}})


def test_the_last_one_stands_unless_it_is_weaker(tmp_path):
    order = [Provenance.simulated, Provenance.recorded, Provenance.measured]
    for i, old in enumerate(order):
        for j, now in enumerate(order):
            folder = tmp_path / f"{i}{j}"
            got = written(folder, record(1.0, provenance=old), record(2.0, provenance=now)).find(record().key())
            assert got.value == (2.0 if j >= i else 1.0)
    assert not Provenance.synthetic.may_replace(Provenance.measured)
    assert Provenance.exact.may_replace(Provenance.exact)
    replaced = written(tmp_path / "r", record(1.0), record(2.0, provenance=Provenance.simulated, replaces=True))
    assert replaced.select(network="squeezenet")[0].value == 2.0


def test_a_reason_replaces_nothing_that_has_a_value(tmp_path):
    without = record(None, missing="out of memory")
    assert written(tmp_path / "a", record(1.0), without).find(record().key()).value == 1.0
    assert written(tmp_path / "b", without, record(1.0)).find(record().key()).value == 1.0
    assert written(tmp_path / "c", without).select() == []


def test_lines_that_cannot_be_read_are_left_out_and_named(tmp_path, capsys):
    written(tmp_path, record(1.0))
    file = tmp_path / "records.jsonl"
    text = file.read_text()
    for bad, words in (('{"record": {"value": 1}}\n', "left out"), ('nonsense\n', "left out"),
                       ('{"figure": {}}\n', "kind"), ('{"record": {"network": "sque', "cut off")):
        file.write_text(text + bad)
        read = Records.read(tmp_path)
        assert len(read.all) == 1
        assert len(read.warnings) == 1 and words in read.warnings[0] and f"{file}:5" in read.warnings[0]
        assert words in capsys.readouterr().err
    written(tmp_path, record(2.0), run=Run(device="NVIDIA H200", command="another"))  # cuts off the unfinished line
    assert Records.read(tmp_path).warnings == []
    file.write_text('{"format": "opsched figure", "version": 1}\n')
    with pytest.raises(BadRecords):
        Records.read(tmp_path)


def test_one_writer_at_a_time_and_an_interrupted_run_goes_on(tmp_path):
    with RecordFile(tmp_path, H200) as file:
        file.add(record(1.0))
        with pytest.raises(BadRecords, match="in use"):
            RecordFile(tmp_path, H200)
    with RecordFile(tmp_path, H200) as file:
        file.add(record(2.0, batch=2))
        assert len({r.run for r in file.records.all}) == 1
        file.finish()
    with RecordFile(tmp_path, H200) as file:
        file.add(record(3.0))
        assert len({r.run for r in file.records.all}) == 2
    assert len(Records.read(tmp_path).runs) == 2
    with pytest.raises(BadRecords, match="another folder"):
        RecordFile(tmp_path, Run(device="NVIDIA A100"))
    with RecordFile(tmp_path / "empty", H200):
        pass
    assert not os.path.exists(tmp_path / "empty" / "records.jsonl")


def test_records_next_to_a_baseline_keep_their_schedules(tmp_path):
    sys.path.insert(0, str(PROJECT / "experiments/baselines"))
    from run_baselines import Measured, keep_ours

    found = [Measured(record(ms, scheduler=s, schedule=id), H200, ("c3" * 8, text) if text else None)
             for ms, s, id, text in ((1.0, "dataflow", "a1" * 8, "d;1|2"), (2.0, "sequential", "b2" * 8, "b;1/2"), (3.0, "greedy", "", ""))]
    with RecordFile(tmp_path, H200) as file:
        for when in ("before", "after"):
            keep_ours(file, found, "pytorch", when, "run_baselines.py")
        file.finish()
    assert Records.read(tmp_path).schedules == {"a1" * 8: ("c3" * 8, "d;1|2"), "b2" * 8: ("c3" * 8, "b;1/2")}
    lines = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert sum("schedule" in line for line in lines) == 2 and all(SCHEMA.is_valid(line) for line in lines)


def test_select_and_comparable(tmp_path):
    records = written(tmp_path, record(1.0), record(2.0, labels={"study": "pruning"}), record(3.0, batch=16))
    assert [r.value for r in records.select(labels={})] == [1.0, 3.0]
    assert [r.value for r in records.select(study="pruning")] == [2.0]
    assert [r.value for r in records.select(batch=(16, 32))] == [3.0]
    assert comparable(records.run_of(records.all[0]), Run(device="NVIDIA H200", kernels="9"))
    assert not comparable(H200, Run(device="NVIDIA H200", kernels="8"))
    assert not comparable(H200, Run(device="NVIDIA A100", kernels="9"))
    assert comparable(H200, Run())
    with pytest.raises(BadRecords, match="finite"):
        record_to_json(record(float("nan")))
