"""The example notebook runs from the first cell to the last, and is stored without outputs."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "analysis" / "example.ipynb"


def test_the_notebook_runs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code), "clear its outputs before it is committed"
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": NOTEBOOK.parent}}).execute()
    pictures = sum("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    tables = sum("text/html" in output.get("data", {}) for cell in code for output in cell.outputs)
    assert pictures >= 3 and tables >= 2
