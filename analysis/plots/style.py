"""How every picture looks: colours of Okabe and Ito, told apart without colour by hatches and markers."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.ticker import LogFormatter, NullLocator  # noqa: E402, F401

from page import write_whole  # noqa: E402

# Okabe and Ito's colours, those that print well first.
COLORS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#999999", "#000000", "#F0E442"]
HATCHES = ["", "//", "\\\\", "--", "xx", "||", "++", "////", "----"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "h"]
LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (5, 5)), "-"]

plt.rcParams.update({
    "figure.dpi": 100,
    "font.size": 9,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.linewidth": 0.4,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "opsched",
})


def axes(columns: int = 1, width: float = 7.5, height: float = 3.4, **options: Any) -> tuple[Any, list[Any]]:
    """A picture with so many parts side by side."""
    picture, parts = plt.subplots(1, columns, figsize=(width, height), layout="constrained", squeeze=False, **options)
    return picture, list(parts[0])


def save(picture: Any, folder: Path, name: str) -> None:
    """NAME.png and NAME.svg, the same bytes for the same data; each appears as a whole or not at all."""
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        write_whole(folder / f"{name}.{kind}",
                    lambda path, kind=kind, metadata=metadata: picture.savefig(path, format=kind, metadata=metadata))
    plt.close(picture)
