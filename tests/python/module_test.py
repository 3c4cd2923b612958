"""import opsched: calls of the program, and its records, schedules, graphs and timelines as objects."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "analysis"))

import numpy as np  # noqa: E402

import opsched  # noqa: E402

H200 = PROJECT / "results" / "h200"
SIM = {"device": "sim", "profile": H200}


def test_records_become_a_frame():
    records = opsched.Records.read(H200)
    frame = opsched.frame(records)
    assert len(frame) == len(records.select()) > 1000
    row = frame[frame["key"] == "squeezenet/ios-both/batch:1/fp32/gpus:1"].iloc[0]
    record = records.find(row["key"])
    assert row["value"] == record.value and row["device"] == "NVIDIA H200" and row["scheduler"] == "ios-both"
    assert list(opsched.frame([record])["value"]) == [record.value]


def test_speedups_are_over_the_same_case():
    records = opsched.Records.read(H200)
    found = opsched.speedups(opsched.frame(records))
    assert (found[found["scheduler"] == "sequential"]["speedup"] == 1).all()
    fast = found[(found["network"] == "squeezenet") & (found["scheduler"] == "ios-both") & (found["batch"] == 1)
                 & (found["precision"] == "fp16") & (found["image"] == 0)].iloc[0]
    base, it = (records.find(f"squeezenet/{s}/batch:1/fp16/gpus:1").value for s in ("sequential", "ios-both"))
    assert fast["speedup"] == pytest.approx(base / it)


def test_run_and_replay_give_records(tmp_path):
    record = opsched.run("squeezenet", "ios-both", **SIM)
    recorded = opsched.Records.read(H200).find("squeezenet/ios-both/batch:1/fp32/gpus:1")
    assert record.value == recorded.value and record.schedule == recorded.schedule
    records = opsched.replay(H200, "squeezenet", ["sequential", "wavefront"], precision=["fp32", "fp16"], out=tmp_path)
    assert {(r.scheduler, r.precision) for r in records.select()} == {
        (s, p) for s in ("sequential", "wavefront") for p in ("fp32", "fp16")}
    assert (tmp_path / "records.jsonl").exists()


def test_graphs_and_schedules_are_objects(tmp_path):
    graph = opsched.load_graph("squeezenet")
    assert graph.name == "squeezenet" and graph.batch == 1 and graph.outputs() == ["tail/pool"]
    assert graph.by_name["fire2/expand"].reads == ("fire2/expand3x3", "fire2/expand1x1")
    assert graph.by_name["fire2/expand"].kind == "join" and "fire2/squeeze" in graph.readers("stem/pool")
    assert graph.by_name["stem/conv"].output == (96, 112, 112)
    assert len(graph.frame()) == len(graph.operators)

    schedule = opsched.find_schedule(graph, "ios-both", **SIM)
    assert sorted(schedule.operators()) == sorted(op.name for op in graph.operators if op.reads)
    frame = schedule.frame()
    assert schedule.mode == "barrier" and len(frame) == len(schedule.operators())
    assert schedule.streams() == frame["stream"].max() + 1 > 1 and schedule.stages() == frame["stage"].max() + 1 > 10
    assert any(stage.strategy == "merge" for stage in schedule.devices[0])
    schedule.save(tmp_path / "s.json")
    assert opsched.Schedule.read(tmp_path / "s.json") == schedule
    (tmp_path / "s.json").write_text(json.dumps({"format": "something"}))
    with pytest.raises(opsched.BadSchedule, match="s.json"):
        opsched.Schedule.read(tmp_path / "s.json")


def test_timelines_say_what_the_makespan_is_made_of():
    schedule = opsched.find_schedule("squeezenet", "ios-both", **SIM)
    timeline = opsched.trace("squeezenet", schedule, **SIM)
    path = timeline.critical_path()
    launch_ms = dict(json.loads((H200 / "profile-fp32.json").read_text())["calibration"])["schedule.launch_ms"]
    assert path[0].start == pytest.approx(launch_ms) and path[-1].end == pytest.approx(timeline.makespan_ms)
    for before, event in zip(path, path[1:]):
        assert event.waited_for == before.name and event.start == pytest.approx(before.end, abs=1e-6)
    merged = sum(1 for e in timeline.operators() if e.kind.startswith("merge"))
    assert merged == sum(stage.strategy == "merge" and len(stage.groups[0]) > 1 for stage in schedule.devices[0]) > 0
    parts = opsched.PathTime.of(timeline)
    assert parts.alone + parts.company + parts.transfers + parts.gaps == pytest.approx(timeline.makespan_ms)
    frame = timeline.frame()
    assert frame["critical"].sum() == len(path) and (frame["ms"] >= 0).all()


def test_timelines_are_drawn(tmp_path):
    timelines = [opsched.trace("squeezenet", s, **SIM) for s in ("sequential", "dataflow")]
    axes = timelines[1].plot()
    bars = [p for p in axes.patches if p.get_width() > 0]
    assert len(bars) >= len([e for e in timelines[1].events if e.ms > 0])
    assert sum(p.get_linewidth() > 1 for p in axes.patches) == len(timelines[1].critical_path())
    picture = opsched.plot_beside(*timelines)
    a, b = picture.axes
    assert a.get_xlim() == b.get_xlim() == (0, max(t.makespan_ms for t in timelines))
    picture.savefig(tmp_path / "beside.png")


def test_figures_are_functions():
    picture = opsched.draw(H200, "batches")
    assert len(picture.axes) == 2
    with pytest.raises(Exception, match="no figure 'btches'; known: .*batches"):
        opsched.draw(H200, "btches")


def test_infer_takes_and_gives_arrays():
    image = np.random.default_rng(1).standard_normal((2, 3, 224, 224)).astype(np.float32)
    (scores,) = opsched.infer("squeezenet", image, batch=2).values()
    assert scores.shape == (2, 1000, 1, 1) and np.isfinite(scores).all() and scores.std() > 0
    schedule = opsched.find_schedule("squeezenet", "wavefront", **SIM)
    again = opsched.infer("squeezenet", {"input": image}, schedule=schedule, batch=2)
    assert list(again) == ["tail/pool"] and np.allclose(again["tail/pool"], scores, rtol=1e-3, atol=1e-4)
    assert not np.allclose(opsched.infer("squeezenet", -image, batch=2)["tail/pool"], scores)


@pytest.mark.parametrize("call, words", [
    (lambda: opsched.run("squeezenet", "magic", **SIM), "magic.*ios-both"),
    (lambda: opsched.trace("sqeezenet", "wavefront", **SIM), "sqeezenet.*squeezenet"),
    (lambda: opsched.bench("squeezenet", "sequential", profile="/nowhere", device="sim"), "/nowhere"),
    (lambda: opsched.load_graph(Path("/nowhere/g.json")), "/nowhere/g.json"),
    (lambda: opsched.Timeline.read(H200 / "profile-fp32.json"), "profile-fp32.json"),
])
def test_what_is_wrong_is_said(call, words):
    with pytest.raises((opsched.BadProgram, opsched.BadTimeline), match=f"(?s){words}"):
        call()


def test_pages_need_no_pandas():
    """Debian's python3 makes pages and pictures without pandas."""
    block = "import sys; sys.modules.update(pandas=None, plotly=None); "
    done = subprocess.run([sys.executable, "-c", block + "import opsched.tables, opsched.figures, opsched"],
                          env={**os.environ, "PYTHONPATH": str(PROJECT / "analysis")}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_types():
    done = subprocess.run([sys.executable, "-m", "mypy", "--cache-dir=/dev/null"], cwd=PROJECT / "analysis", capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout
