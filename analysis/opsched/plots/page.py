"""The page of a figure, and the list of all: written from the records alone."""

from collections import Counter

from opsched.page import distinct, join, table, where_from
from opsched.plots.figure import Comparison, Figure


def page(figure: Figure, comparison: Comparison | None, citation: str) -> str:
    """`comparison`: None where the figure has no rows; `citation`: of the paper, empty where the figure is our own."""
    text = f"# {figure.title}\n\n{f'Reproduces: {figure.paper}. ' if figure.paper else ''}Numbers: {figure.state()}.\n"
    text += "Made by `analysis/figures.py` from the records that `index.json` names; do not edit.\n\n"
    if comparison is not None:
        text += f"![{figure.title}]({figure.name}.png)\n\n[SVG]({figure.name}.svg), [as CSV]({figure.name}.csv)\n\n"
        text += f"## {'Beside the paper' if citation else 'Numbers'}\n\n{table(comparison.head, comparison.rows)}\n"
        text += f"The paper's numbers: {citation}.\n" if citation else ""
        text += "".join(line + "\n" for line in (comparison.note, figure.marks.legend()) if line)
        text += f"\n**What agrees.** {comparison.agrees}\n\n**What does not, and why.** {comparison.differs}\n"
    return text + "\n" + provenance(figure)


def provenance(figure: Figure) -> str:
    text = "## Where the numbers come from\n\n"
    text += where_from(figure.rows, figure.marks.runs) or "There are none.\n"
    text += clocks(figure)
    for reason, count in Counter(why for _, why in figure.missing).items():
        text += f"* missing{f' ({count})' if count > 1 else ''}: {reason}\n"
    folders = [f"[{name}]({'..' if not name else f'../../{name}'}/README.md)".replace("[]", "[this folder]")
               for name in figure.folders]
    return text + f"\nCommands and all records: {join(folders)}. Networks and weights are from seed 1.\n"


def clocks(figure: Figure) -> str:
    seen = sorted({r.clocks.sm_mhz for r in figure.rows if r.clocks.sm_mhz})
    if not seen:
        return ""
    throttled = sum(r.clocks.throttled for r in figure.rows)
    return ("* Clocks: " + " to ".join(f"{mhz} MHz" for mhz in distinct([seen[0], seen[-1]])) +
            (f"; the GPU lowered them during {throttled} measurements" if throttled else "") + "\n")


def index(name: str, figures: list[Figure]) -> str:
    text = f"# Figures of {name}\n\n"
    text += "`opsched reproduce` selects the records; every picture and number is made from them. *measured*: on the GPU;\n"
    text += "*recorded*: put together from latencies of a profile; *simulated*: predicted; *synthetic*: made-up costs; *exact*:\n"
    text += "counted.\n\n"
    return text + table(["figure", "shows", "of", "numbers"], [[f"[{f.name}]({f.name}.md)", f.title, f.paper or "our own", f.state()]
                                                              for f in figures])
