"""The look of every picture: colours, hatches, markers, lines and fonts. The colours are those of Okabe and Ito, which
colour-blind readers can tell apart; hatches and markers distinguish series without colour."""

from typing import Any

# Colours that print well come first.
COLORS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#999999", "#000000", "#F0E442"]
# For areas: white instead of black, because hatches and error bars are invisible on black.
FILLS = ["#FFFFFF" if color == "#000000" else color for color in COLORS]
HATCHES = ["", "//", "\\\\", "--", "xx", "||", "++", "////", "----"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "h"]
LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (5, 5)), "-"]
# A paper's results next to ours.
PAPER: dict[str, Any] = {"color": "black", "marker": "x", "linestyle": ":", "linewidth": 1, "markersize": 5}
# In timelines: everything except operators.
STAGE, TRANSFER, OTHER = "#e8e8e8", "#999999", "#ffffff"

RC: dict[str, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.constrained_layout.w_pad": 0.07,
    "figure.constrained_layout.h_pad": 0.07,
    "figure.titlesize": 8,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.linewidth": 0.4,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "opsched",
}


def bar_look(i: int) -> dict[str, Any]:
    return {"color": FILLS[i % len(FILLS)], "hatch": HATCHES[i % len(HATCHES)], "edgecolor": "black", "linewidth": 0.4}


def line_look(i: int) -> dict[str, Any]:
    return {"color": COLORS[i % len(COLORS)], "linestyle": LINES[i % len(LINES)], "marker": MARKERS[i % len(MARKERS)]}
