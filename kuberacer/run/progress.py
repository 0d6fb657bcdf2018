"""What a person sees of a run: a live line for each running stage on a terminal, plain lines elsewhere."""

import contextlib
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kuberacer import usage
from kuberacer.errors import UserError
from kuberacer.run.local.cache import Outputs
from kuberacer.run.record import RecordFile, Stage
from kuberacer.took import PodTime

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
PREFIX = "progress: "


def stage_name(path: str) -> str:
    """`train` of the path of a task, in the spelling of the stages' modules; `train[0]` of one in a loop."""
    turns = "".join(re.findall(r"\[\d+\]", path))
    return re.sub(r"\[\d+\]", "", path).rpartition(".")[2].replace("-", "_") + turns


@dataclass
class _Running:
    began: float
    said: str = ""


class Progress:
    """Shows a run and keeps its record. A context manager; an Observer of the local runner."""

    def __init__(self, record: RecordFile, take: Callable[[str, Outputs], None], out: TextIO = sys.stdout):
        """take: is given every finished stage's name and outputs, before it is told of."""
        self._record = record
        self._take = take
        self._out = out
        self._running: dict[str, _Running] = {}
        self._live: Live | None = None
        if out.isatty():
            console = Console(file=out)
            self._live = Live(get_renderable=self._table, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            self._live.stop()
            self._live = None
        for name in self._running:
            self._record.record.stage(name).status = "interrupted"

    def say(self, text: str) -> None:
        """One line that stays."""
        if self._live:
            self._live.console.print(Text(text), highlight=False)
        else:
            print(text, file=self._out, flush=True)

    def started(self, path: str) -> None:
        name = stage_name(path)
        self._running[name] = _Running(time.monotonic())
        stage = self._record.record.stage(name)
        stage.status, stage.started = "running", time.time()
        self._record.write()

    def printed(self, path: str, line: str) -> None:
        if line.startswith(usage.PREFIX):
            with contextlib.suppress(ValueError):  # other people's code may print such a line, too
                attempt = usage.Usage.parse(line.removeprefix(usage.PREFIX))
                self._record.record.stage(stage_name(path)).attempts.append(attempt)
        if not line.startswith(PREFIX):
            return
        running = self._running[stage_name(path)]
        if self._live:
            self._settle(stage_name(path), running)
        running.said = _CONTROL.sub("", line.removeprefix(PREFIX)).strip()
        if not self._live:
            self._settle(stage_name(path), running)

    def held(self, path: str, pods: Sequence[PodTime]) -> None:
        self._record.record.stage(stage_name(path)).pods = list(pods)

    def ended(self, path: str, outputs: Outputs, cached: bool) -> None:
        stage = self._finish(path, "succeeded")
        stage.cached = cached
        stage.wall_s = 0.0 if cached else stage.wall_s
        self._take(stage.name, outputs)
        self._record.write()
        self.say(
            f"{stage.name}: " + ("unchanged, taken from before" if cached else f"done in {duration(stage.wall_s)}")
        )

    def failed(self, path: str, error: UserError) -> None:
        self._finish(path, "failed")
        self._record.write()

    def _settle(self, name: str, running: _Running) -> None:
        """What the live line said becomes a line that stays."""
        if running.said:
            self.say(f"{name}: {running.said}")
            running.said = ""

    def _finish(self, path: str, status: str) -> Stage:
        stage = self._record.record.stage(stage_name(path))
        running = self._running.pop(stage.name)
        self._settle(stage.name, running)
        stage.wall_s = round(time.monotonic() - running.began, 2)
        stage.status = status
        return stage

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for name, running in self._running.items():
            clock = duration(time.monotonic() - running.began)
            table.add_row(
                Text(name, style="bold"),
                Text(clock, style="dim"),
                Text(running.said, overflow="ellipsis", no_wrap=True),
            )
        return table


def duration(seconds: float) -> str:
    """`7.2 s` or `3 min 05 s`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
