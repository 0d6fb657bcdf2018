"""A reward that a program computes: any language that reads lines of JSON and writes them (see wire.py)."""

from typing import Self

import numpy as np

from kuberacer.errors import UserError
from kuberacer.formats.reward_document import RewardDocument
from kuberacer.reward import wire
from kuberacer.reward.output import LimitedOutput, OutputFlood, one_line, printable
from kuberacer.reward.program import Program, ProgramFault
from kuberacer.reward.program_folder import folder_of
from kuberacer.reward.runner import RoadFacts, situation
from kuberacer.sim.params import ParamArrays

START_S = 20.0  # until the first line is answered: a runtime has to start, on a busy machine


class CommandReward:
    """`reward(values)` -> rewards (cars,) float64, finite and within ±1e5. Close it, or use it as a context manager.

    One process for all cars, for as long as this lives. It is never started again by itself: what the program has
    remembered would be lost without a word. Whatever goes wrong is a UserError with cause, the cars' state and the
    last lines of stderr, and ends the process. So does the end of the thread that made it.
    """

    why_plain = ""

    def __init__(
        self,
        document: RewardDocument,
        track: RoadFacts,
        cars: int,
        *,
        objects: int = 0,
        seed: int = 0,
        cpu_s: int | None = None,
        strict_output: bool = False,
    ):
        """objects: how many each car meets. cpu_s: processor seconds in all. strict_output: a flood of stderr is an
        error. Raises UserError."""
        self.document, self.path = document, document.language
        self._output = LimitedOutput(strict=strict_output)
        self._program: Program | None = None
        self._most = wire.most_answer(cars)
        try:
            self._program = Program(document, folder_of(document), self._output, cpu_s)
            self.limits = self._program.limits
            answer = self._program.exchange(wire.hello(track, cars, objects, seed), START_S, self._most)
            self.keys = wire.read_hello(answer)
        except (ProgramFault, wire.WireFault, OutputFlood) as fault:
            raise self._failed(fault, "at its start") from None
        except BaseException:
            self.close()
            raise
        self._show_output()

    def __call__(self, values: ParamArrays) -> np.ndarray:
        if self._program is None:
            raise UserError(f"{self.document.name}: its program has ended", "start again")
        try:
            line = self._program.exchange(wire.step(values, self.keys), self.document.timeout_s, self._most)
            rewards = wire.read_rewards(line, values)
        except wire.WireFault as fault:
            raise self._failed(fault, f"for {situation(values, fault.car or 0)}") from None
        except (ProgramFault, OutputFlood) as fault:
            raise self._failed(fault, f"in a step of {values.cars} cars, {situation(values, 0)}") from None
        self._show_output()
        return rewards

    def close(self) -> None:
        """End the process; harmless when it has ended."""
        if self._program is not None:
            self._program.close()
            self._program = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_program", None) is not None:
            self.close()

    def _show_output(self) -> None:
        if self._output.waiting:
            print(printable(self._output.take()).rstrip("\n"), flush=True)

    def _failed(self, fault: ProgramFault | wire.WireFault | OutputFlood, where: str) -> UserError:
        said = self._program.last_words if self._program is not None else ""
        self.close()
        what, remedy = str(fault), getattr(fault, "remedy", "write less to stderr")
        last = f"; it wrote: {said}" if said and not isinstance(fault, OutputFlood) else ""
        return UserError(one_line(f"{self.document.name}: {self.path}: {what}, {where}{last}"), remedy)
