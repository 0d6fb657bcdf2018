"""What the pages show: a folder of real runs, trainings that fill it, and the live view's server."""

import http.client
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from tests.processes import PATIENCE_S, Watched

ROOT = Path(__file__).parents[2]
TOOLS, WATCH = (ROOT / ".envs" / name / "bin" / "python" for name in ("tools", "watch"))
# Short iterations, so that curves grow while somebody looks.
QUICK = {"rollout_steps": 256, "batch_size": 64, "num_epochs": 1}


@dataclass(kw_only=True)
class Training(Watched):
    """A running `kuberacer run` of a tiny race. run: its name, known once it has begun."""

    out: Path

    @classmethod
    def start(cls, out: Path, hyperparameters: Path, *arguments: str) -> "Training":
        hyperparameters.write_text(json.dumps(QUICK))
        command = [str(TOOLS), "-u", "-m", "kuberacer.run.cli", "run", "--out", str(out), "--track", "pebble"]
        command += ["--cars", "4", "--trials", "1", "--hyperparameters", str(hyperparameters), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
        training = cls(out=out, process=process)
        assert process.stdout is not None
        lines = process.stdout
        Thread(target=lambda: training.lines.extend(line.rstrip() for line in lines), daemon=True).start()
        return training

    @property
    def run(self) -> str:
        """The first line says it: run NAME in FOLDER."""
        self.wait_for("run ")
        return self.lines[0].split()[1]

    def stop(self) -> None:
        """As Ctrl-C does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)


@dataclass
class Server:
    """The live view's server over a folder; it can be started anew at the same address."""

    out: Path
    token: str = ""
    port: int = 0
    address: str = ""
    process: subprocess.Popen[str] | None = field(default=None)

    def start(self) -> "Server":
        command = [str(WATCH), "-u", "-m", "kuberacer.watch", "--out", str(self.out), "--port", str(self.port)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBERACER_")}
        if self.token:
            environment["KUBERACER_WATCH_TOKEN"] = self.token
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "http://" in line, line
        self.address = "http://" + line.split("http://")[1].split("/")[0]
        self.port = int(self.address.rsplit(":", 1)[1])
        self._wait()
        return self

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE_S)

    def get(self, path: str) -> Any:
        """The JSON at a path of the API."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"} if self.token else {})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status == 200, body
        return json.loads(body)

    def _wait(self) -> None:
        """Until it answers."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.get("/healthz")
                return
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.05)
