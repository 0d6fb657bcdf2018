"""docs/analysis.ipynb over a real run: every cell runs, and its tables are the run's."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.analysis.conftest import ROOT
from tests.analysis.test_deepracer_utils import entries, lines, training_entries

NOTEBOOK = ROOT / "docs" / "analysis.ipynb"
PROBE = """
print(json.dumps({
    "steps": len(steps), "episodes": len(episodes), "returns": episodes["total"].tolist(),
    "laps": int(completed["sum"].sum()),
    "sectors": sectors["seconds"].groupby(level=0).sum().tolist(), "replayed": len(replayed),
}))
"""


def test_it_is_committed_without_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_every_cell_runs_over_a_real_run(run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUN", str(run))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PROBE))
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 7
    found = json.loads(outputs[-1]["text"])
    ours = training_entries(run)
    assert found["steps"] == found["replayed"] == len(lines(run / "training-simtrace"))
    assert sorted(found["returns"]) == pytest.approx(sorted(entry["reward_score"] for entry in ours), abs=0.01)
    assert found["laps"] == sum(entry["episode_status"] == "Lap complete" for entry in ours)
    trials = [trial["elapsed_time_in_milliseconds"] / 1000 for trial in entries(run / "evaluation_metrics.json")]
    assert found["sectors"] == pytest.approx(trials, abs=0.002)
