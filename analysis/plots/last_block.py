"""The schedule of Inception V3's last block, drawn: stages side by side in time, a row a group."""

from typing import Any

from plots.data import Data, Row, ms_text
from plots.page import Comparison


def stages(data: Data, batch: int) -> list[list[Row]]:
    rows = data.all(batch=batch)
    return [[r for r in rows if r["stage"] == s] for s in sorted({r["stage"] for r in rows})]


def lanes(stage: list[Row]) -> int:
    """Operators side by side: all of a merge, else one a group."""
    return len(stage) if stage[0]["strategy"] == "merge" else len({r["group"] for r in stage})


def draw(data: Data, paper: dict[str, Any]) -> Any:
    from plots import style

    batches = data.names("batch")
    lanes_of = {b: max(lanes(s) for s in stages(data, b)) for b in batches}
    kinds = sorted(data.names("kind"))
    picture, parts = style.plt.subplots(len(batches), 1, figsize=(8, 1 + sum(0.9 + 0.35 * n for n in lanes_of.values())),
                                        layout="constrained", squeeze=False,
                                        gridspec_kw={"height_ratios": [0.6 + n for n in lanes_of.values()]})
    for ax, batch in zip(parts[:, 0], batches):
        end = max(r["stage_begin_ms"] + r["stage_ms"] for r in data.all(batch=batch)) * 1e3
        for stage in stages(data, batch):
            begin, length = stage[0]["stage_begin_ms"] * 1e3, stage[0]["stage_ms"] * 1e3
            merge = stage[0]["strategy"] == "merge"
            ax.axvline(begin, color="black", linewidth=0.8)
            for group in sorted({r["group"] for r in stage}):
                members = sorted((r for r in stage if r["group"] == group), key=lambda r: r["position"])
                whole = sum(r["operator_ms"] for r in members)
                for lane, content in enumerate([[r] for r in members] if merge else [members]):
                    at = begin
                    for row in content:
                        width = length * (1 if merge else row["operator_ms"] / whole if whole else 1 / len(members))
                        kind = kinds.index(row["kind"])
                        ax.barh(group + lane, width, left=at, height=0.8, color=style.COLORS[kind % len(style.COLORS)],
                                hatch=("" if kind < len(style.COLORS) else "///") + ("xx" if merge else ""),
                                edgecolor="black", linewidth=0.6, label=row["kind"])
                        if merge or width > 0.04 * end:
                            ax.text(at + width / 2, group + lane, row["operator"].split("/")[-1], fontsize=6,
                                    ha="center", va="center", bbox={"facecolor": "white", "pad": 0.8, "linewidth": 0})
                        at += width
        ax.axvline(end, color="black", linewidth=0.8)
        ax.set(title=f"batch {batch}", xlabel="time, \u00b5s", ylabel="group", xlim=(0, end * 1.005))
        ax.set_yticks(range(lanes_of[batch]))
        ax.invert_yaxis()
        ax.grid(False)
    entries: dict[str, Any] = {}
    for ax in picture.axes:
        entries.update(zip(*reversed(ax.get_legend_handles_labels())))
    picture.axes[0].legend(entries.values(), entries.keys(), loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=7)
    return picture


def compare(data: Data, paper: dict[str, Any]) -> Comparison:
    rows, counts = [], {}
    for batch in data.names("batch"):
        for stage in stages(data, batch):
            groups = [" then ".join(r["operator"] for r in stage if r["group"] == g)
                      for g in sorted({r["group"] for r in stage})]
            rows.append([str(batch), str(int(stage[0]["stage"]) + 1), stage[0]["strategy"], " \\| ".join(groups),
                         ms_text(stage[0]["stage_ms"])])
        counts[batch] = len(stages(data, batch))
    widest = {b: max(lanes(s) for s in stages(data, b)) for b in counts}
    words = ", ".join(f"batch {b}: {n} stages, at most {widest[b]} side by side" for b, n in counts.items())
    small, large = min(counts), max(counts)
    same = [[r["operator"] for r in s] for s in stages(data, small)] == [[r["operator"] for r in s]
                                                                        for s in stages(data, large)]
    agrees = (f"The schedules for batch {small} and {large} {'are the same' if same else 'differ'} ({words}); in the paper "
              "they differ, for at a small batch more operators fit side by side.")
    differs = ("The paper's drawing shows no latencies that could be set beside ours; operators of the same block end in "
               "other stages because their relative costs on this GPU are not those of the V100.")
    return Comparison(["batch", "stage", "strategy", "groups", "ms"], rows, agrees, differs,
                      "Stages are as long as the cost model says; the operators of a group share its time by their solo "
                      "latencies. The block is the last one with branches.")
