"""What /openapi.json says is what the server does: tried by schemathesis on the running server, over HTTP."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import policies
import pytest

TOKEN = "a-token-of-some-length"
EXAMPLES = "40"
SMALL = {"name": "camera", "shape": [2, 3, 1], "dtype": "uint8"}


def discrete(folder: Path) -> Path:
    return policies.mountain_car(folder)


def camera_and_lidar(folder: Path) -> Path:
    keys = policies.policy(observation={"inputs": [SMALL, policies.LIDAR]}, normalisation=None, examples=[])
    network = policies.linear({"camera": (2, 3, 1), "LIDAR": (3,)}, np.ones((9, 3)))
    return policies.write(folder, keys, network)


@pytest.mark.parametrize(
    ("model", "except_for"),
    [
        (discrete, ""),
        # A schema cannot say which texts are pictures.
        (camera_and_lidar, "positive_data_acceptance"),
    ],
    ids=["discrete", "camera and lidar"],
)
def test_the_server_keeps_to_its_schema(serve, tmp_path, model, except_for):
    client = serve(model(tmp_path / "model"), token=TOKEN).client
    command = [
        str(Path(sys.prefix) / "bin" / "schemathesis"), "run", f"http://127.0.0.1:{client.port}/openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}", "--max-examples", EXAMPLES, "--seed", "1", "--no-color",
        "--phases", "examples,coverage,fuzzing", "--continue-on-failure",
    ]  # fmt: skip
    command += ["--exclude-checks", except_for] if except_for else []
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert client.metric("kuberacer_predict_instances_total", authorization=f"Bearer {TOKEN}") > 0
