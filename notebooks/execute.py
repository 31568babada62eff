"""Run the notebooks anew on the finished demo: `python notebooks/execute.py [NAME ...]`.

What they show is committed, so that they can be read without running them; what differs from run to run is not.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def executed(notebook: nbformat.NotebookNode, folder: Path = FOLDER) -> nbformat.NotebookNode:
    """The notebook with the outputs of a fresh kernel, started in the folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:
        # When a cell was started and ended says nothing about the product.
        cell.metadata.pop("execution", None)
    notebook.metadata.language_info = {"name": "python"}
    return notebook


if __name__ == "__main__":
    for chosen in sorted(FOLDER.glob("*.ipynb")):
        if not sys.argv[1:] or chosen.stem in sys.argv[1:]:
            nbformat.write(executed(nbformat.read(chosen, as_version=4)), chosen)
