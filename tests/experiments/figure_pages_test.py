"""Pages and pictures of every figure from data with holes: whatever is missing, they are made, and say what is there.

  python3 figure_pages_test.py PROJECT    data: results/*/figures of the project, items left out at random
"""

import importlib.util
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(sys.argv[1])
MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None
PICTURES_AT = 0.5  # drawing takes longer than all the rest


def with_holes(data: dict, share: float, rng: random.Random) -> dict:
    """Items turn into reasons, as where a measurement failed."""
    failed = {item for item in sorted({row["item"] for row in data["rows"]}) if rng.random() < share}
    for row in data["rows"]:
        if row["item"] in failed:
            for key in [k for k in row if k not in ("item", "network", "scheduler", "batch", "image", "precision", "gpus")]:
                del row[key]
            row["skipped"] = "a hole"
    return data


def pages(folder: Path, *options: str) -> None:
    subprocess.run([sys.executable, str(PROJECT / "analysis/figures.py"), str(folder), *options], check=True)


def main() -> None:
    rng = random.Random(1)
    sources = sorted(PROJECT.glob("results/*/figures"))
    if not sources:
        sys.exit("no figures in results/: nothing was tested")
    for source in sources:
        for share in (0, 0.3, PICTURES_AT, 0.8, 1):
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                shutil.copy(source / "index.json", folder)
                for file in source.glob("*.json"):
                    if file.name != "index.json":
                        data = with_holes(json.loads(file.read_text()), share, rng)
                        (folder / file.name).write_text(json.dumps(data))
                pages(folder, *([] if share == PICTURES_AT and MATPLOTLIB else ["--no-pictures"]))
                pages(folder, "--check")
                for page in folder.glob("*.md"):
                    assert "nan" not in page.read_text().split(), page
    print("pages are made from whatever is there" + ("" if MATPLOTLIB else "; no matplotlib: pictures were not tested"))


if __name__ == "__main__":
    main()
