"""The schedule of Inception V3's last block: stages along the time axis, one lane per group."""

from typing import Any

from opsched.page import grouped, ms_text
from opsched.plots import charts, style
from opsched.plots.figure import Comparison, Figure, Paper, Picture
from opsched.records import Record


def stages(figure: Figure, batch: int) -> list[list[Record]]:
    rows = sorted(figure.all(batch=batch), key=lambda r: r.numbers["stage"])
    return list(grouped(rows, lambda r: r.numbers["stage"]).values())


def groups(stage: list[Record]) -> list[list[Record]]:
    rows = sorted(stage, key=lambda r: (r.numbers["group"], r.numbers["position"]))
    return list(grouped(rows, lambda r: r.numbers["group"]).values())


def is_merge(stage: list[Record]) -> bool:
    return stage[0].texts["strategy"] == "merge"


def lanes(stage: list[Record]) -> int:
    """Number of parallel operators: all operators of a merge, otherwise one per group."""
    return len(stage) if is_merge(stage) else len(groups(stage))


def draw_stage(ax: Any, stage: list[Record], kinds: list[str], end: float) -> None:
    begin, length = (stage[0].numbers[k] * 1e3 for k in ("stage_begin_ms", "stage_ms"))
    merge = is_merge(stage)
    ax.axvline(begin, color="black", linewidth=0.8)
    for group, members in enumerate(groups(stage)):
        whole = sum(r.value for r in members)
        for lane, content in enumerate([[r] for r in members] if merge else [members]):
            at = begin
            for r in content:
                width = length * (1 if merge else r.value / whole if whole else 1 / len(members))
                kind = kinds.index(r.texts["kind"])
                ax.barh(group + lane, width, left=at, height=0.8, color=style.COLORS[kind % len(style.COLORS)],
                        hatch=("" if kind < len(style.COLORS) else "///") + ("xx" if merge else ""),
                        edgecolor="black", linewidth=0.6, label=r.texts["kind"] if width > 1e-3 * end else None)
                if merge or width > 0.04 * end:
                    ax.text(at + width / 2, group + lane, r.labels["operator"].split("/")[-1], fontsize=6, ha="center",
                            va="center", bbox={"facecolor": "white", "pad": 0.8, "linewidth": 0})
                at += width


def draw(figure: Figure, paper: Paper) -> Picture:
    batches = figure.names("batch")
    lanes_of = {b: max(lanes(s) for s in stages(figure, b)) for b in batches}
    kinds = sorted({r.texts["kind"] for r in figure.rows})
    picture, parts = charts.axes(1, len(batches), 8, 1 + sum(0.9 + 0.35 * n for n in lanes_of.values()),
                                 height_ratios=[0.6 + n for n in lanes_of.values()])
    for ax, batch in zip(parts, batches):
        end = max(r.numbers["stage_begin_ms"] + r.numbers["stage_ms"] for r in figure.all(batch=batch)) * 1e3
        for stage in stages(figure, batch):
            draw_stage(ax, stage, kinds, end)
        ax.axvline(end, color="black", linewidth=0.8)
        ax.set(title=f"batch {batch}", xlabel="time, \u00b5s", ylabel="group", xlim=(0, end * 1.005))
        ax.set_yticks(range(lanes_of[batch]))
        ax.invert_yaxis()
        ax.grid(False)
    charts.legend_beside(parts[0], *parts, fontsize=7)
    return picture


def compare(figure: Figure, paper: Paper) -> Comparison:
    rows, shapes = [], {}
    for batch in figure.names("batch"):
        shapes[batch] = stages(figure, batch)
        for number, stage in enumerate(shapes[batch], 1):
            words = [" then ".join(r.labels["operator"] for r in group) for group in groups(stage)]
            rows.append([str(batch), str(number), stage[0].texts["strategy"], " \\| ".join(words),
                         ms_text(stage[0].numbers["stage_ms"]) + figure.marks.behind(stage[0])])
    words = ", ".join(f"batch {b}: {len(s)} stages, at most {max(map(lanes, s))} operators concurrently" for b, s in shapes.items())
    small, large = min(shapes), max(shapes)
    same = [[[r.labels["operator"] for r in s] for s in shapes[b]] for b in (small, large)]
    agrees = (f"The schedules for batch {small} and {large} {'are the same' if same[0] == same[1] else 'differ'} ({words}); in "
              "the paper they differ, because at a small batch more operators can run concurrently.")
    differs = ("The paper shows no latencies to compare with. Operators of the block are in different stages because their "
               "relative costs on this GPU differ from those on the V100.")
    return Comparison(["batch", "stage", "strategy", "groups", "stage, ms"], rows, agrees, differs,
                      "The length of a stage is the cost model's latency; operators of a group divide it in proportion to their "
                      "solo latencies. The block is the last one with branches.")
