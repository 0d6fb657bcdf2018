"""Docker, Podman or Buildah, as far as it is there and knows KubeRacer's image."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kuberacer import __version__
from kuberacer.errors import UserError

ENGINES = ("docker", "podman", "buildah")
ANSWER_S, BUILD_S = 20, 1800
PLACE = "/opt/kuberacer/sim"


@dataclass(frozen=True)
class ContainerEngine:
    """program: which of ENGINES. base: the image that the simulation's image begins with."""

    program: str
    base: str

    def has(self, image: str) -> bool:
        """Whether the image is on this machine."""
        kind = ["--type", "image"] if self.program == "buildah" else []
        verb = ["inspect", *kind] if self.program == "buildah" else ["image", "inspect"]
        return self._run([*verb, image], ANSWER_S).returncode == 0

    def build(self, name: str, digest: str, content: Path, site: Path) -> None:
        """Build the image from the content's files and the modules' folder. Raises UserError."""
        with tempfile.TemporaryDirectory() as scratch:
            context = Path(scratch)
            shutil.copytree(content, context / "content")
            shutil.copytree(site, context / "site")
            (context / "Containerfile").write_text(self._recipe(digest))
            arguments = ["build", "-f", str(context / "Containerfile"), "-t", name]
            arguments += [] if self.program == "docker" else ["--timestamp", "0"]
            ended = self._run([*arguments, str(context)], BUILD_S)
        if ended.returncode:
            lines = ended.stderr.strip().splitlines() or ["no message"]
            raise UserError(
                f"{self.program} could not build {name}: {lines[-1]}", f"try `{self.program} build` by hand"
            )

    def _recipe(self, digest: str) -> str:
        return (
            f"FROM {self.base}\n"
            f"COPY content {PLACE}/content\n"
            f"COPY site {PLACE}/site\n"
            f"ENV KUBERACER_SIM={PLACE}/content\n"
            f"LABEL org.kuberacer.content={digest}\n"
        )

    def _run(self, arguments: list[str], seconds: float) -> subprocess.CompletedProcess:
        command = [self.program, *arguments]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
        try:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, env=environment
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            return subprocess.CompletedProcess(command, 1, "", str(error))


def find_engine() -> ContainerEngine | None:
    """The first engine that answers and has the base image; None where the content stays a folder."""
    base = os.environ.get("KUBERACER_IMAGE_RACE", f"kuberacer/race:{__version__}")
    for program in ENGINES:
        if shutil.which(program) and (engine := ContainerEngine(program, base)).has(base):
            return engine
    return None
