"""The Python modules that a user's reward asks for, in folders named by their content.

Requirement lines are resolved once against this environment's own packages, wheels only, so that nothing of theirs runs
while they are installed. What was found is a lock (names, versions, hashes) and is kept; the folder can be made again
from it on another machine.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from kuberacer.cache import cache_folder
from kuberacer.errors import UserError

PIP_S = 600
MOST_MIB = 1024  # of all modules, unpacked
_SCHEME = 1  # of the folders; a change makes them all anew


@dataclass(frozen=True)
class Module:
    """One distribution: its name, version and the sha256 of its wheel."""

    name: str
    version: str
    sha256: str


def parse_requirements(text: str) -> list[Requirement]:
    """The requirement lines, comments and blank lines left out. Raises UserError that names the line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not line:
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"requirements line {number}: {line!r}: {reason}", "write it as name==1.2.3") from None
        if requirement.url:
            raise UserError(
                f"requirements line {number}: {line!r} is an address", "name a package of the package index"
            )
        found.append(requirement)
    return found


def resolve(text: str) -> list[Module]:
    """What the lines bring beyond this environment, sorted; the same answer every time for the same lines.

    Raises UserError: an unknown package, no wheel for this Python, a conflict with this environment, no network.
    """
    requirements = sorted(str(requirement) for requirement in parse_requirements(text))
    if not requirements:
        return []
    installed = _installed()
    key = _digest([_SCHEME, requirements, installed, _python_tag()])
    memory = _made(cache_folder() / "resolved") / f"{key}.json"
    if memory.is_file():
        return [Module(*entry) for entry in json.loads(memory.read_text())]
    modules = sorted(_ask_pip(requirements, installed), key=lambda module: module.name)
    _write_whole(memory, json.dumps([[m.name, m.version, m.sha256] for m in modules]))
    return modules


def install_locked(modules: Iterable[Module]) -> tuple[Path, bool]:
    """(folder with these very modules, whether it was there already)."""
    modules = list(modules)
    lines = [f"{module.name}=={module.version} --hash=sha256:{module.sha256}" for module in modules]
    folder = _made(cache_folder() / "modules") / _digest([_SCHEME, lines, _python_tag()])
    if folder.is_dir():
        return folder, True
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        lock, site = Path(scratch) / "lock.txt", Path(scratch) / "site"
        lock.write_text("\n".join(lines) + "\n")
        site.mkdir()
        if modules:
            _pip(
                ["install", "--no-deps", "--require-hashes", "--no-compile", "--target", str(site), "-r", str(lock)],
                "download the modules of the reward",
            )
        _check_size(site)
        try:
            site.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster with the same content
                raise
    return folder, False


def _check_size(site: Path) -> None:
    size = sum(path.lstat().st_size for path in site.rglob("*"))
    if size > MOST_MIB << 20:
        raise UserError(
            f"the reward's modules take {size >> 20:,} MiB, at most {MOST_MIB:,} are taken",
            "ask for fewer or smaller packages in `requirements`",
        )


def install(text: str) -> Path:
    """The folder with the modules that the requirement lines bring."""
    return install_locked(resolve(text))[0]


IN_IMAGE = Path("/opt/kuberacer/sim/site")  # of an image that build_sim_image has built


def site_of(environment: dict) -> Path | None:
    """The folder of the modules of what build_sim_image wrote; made again when it is not on this machine."""
    if IN_IMAGE.is_dir():
        return IN_IMAGE
    modules = [Module(**module) for module in environment.get("modules", [])]
    if not modules:
        return None
    site = environment.get("site")
    return Path(site) if site and Path(site).is_dir() else install_locked(modules)[0]


def module_names(text: str, folder: Path) -> set[str]:
    """Names that `import` knows of what the requirement lines name and bring."""
    distributions = list(importlib.metadata.distributions(path=[str(folder)]))
    for requirement in parse_requirements(text):
        try:
            distributions.append(importlib.metadata.distribution(requirement.name))
        except importlib.metadata.PackageNotFoundError:
            continue
    return {name for distribution in distributions for name in _top_level(distribution)}


def _top_level(distribution: importlib.metadata.Distribution) -> Iterator[str]:
    for file in distribution.files or []:
        first = file.parts[0]
        if len(file.parts) > 1 and first.isidentifier():
            yield first
        elif len(file.parts) == 1 and first.endswith((".py", ".so", ".pyd")):
            yield first.partition(".")[0]


def _ask_pip(requirements: list[str], installed: list[str]) -> Iterator[Module]:
    with tempfile.TemporaryDirectory() as scratch:
        report, constraints = Path(scratch) / "report.json", Path(scratch) / "installed.txt"
        constraints.write_text("\n".join(installed) + "\n")
        arguments = ["install", "--dry-run", "--quiet", "--report", str(report), "--constraint", str(constraints)]
        _pip(arguments + requirements, "find the reward's modules", requirements)
        for entry in json.loads(report.read_text())["install"]:
            about, source = entry["metadata"], entry["download_info"]["archive_info"]
            yield Module(canonicalize_name(about["name"]), about["version"], source["hashes"]["sha256"])


def _pip(arguments: list[str], purpose: str, requirements: Iterable[str] = ()) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--only-binary", ":all:", "--disable-pip-version-check"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PIP_S, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise UserError(f"pip could not {purpose} within {PIP_S} s", "check the network, then start again") from None
    if ended.returncode:
        raise _explain(ended.stderr, purpose, requirements)


def _explain(output: str, purpose: str, requirements: Iterable[str]) -> UserError:
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    if re.search(
        r"NewConnectionError|NameResolutionError|Connection refused|ProxyError|SSLError|Read timed out", output
    ):
        return UserError(
            "the package index cannot be reached", "check the network and pip's settings, then start again"
        )
    if "conflicting dependencies" in output or "ResolutionImpossible" in output:
        names = ", ".join(requirements)
        return UserError(
            f"requirements {names} do not go together with KubeRacer's own packages: {(errors or [''])[0]}",
            "ask for other versions",
        )
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if missing:
        return _not_found(missing[1])
    if "No module named pip" in output:
        return UserError("this environment has no pip", "run `make setup` again")
    return UserError(
        f"pip could not {purpose}: {(errors or output.strip().splitlines() or ['?'])[-1]}", "see pip's message"
    )


def _not_found(line: str) -> UserError:
    """Nothing fits: say whether the package is unknown, or has no such version, or no wheel."""
    name = re.split(r"[\[<>=!~;@ ]", line)[0]
    wheels, releases = _versions(name, wheels_only=True), _versions(name, wheels_only=False)
    if not releases:
        return UserError(f"the package index knows no package {name!r}", "check the name in `requirements`")
    if not wheels:
        tag = f"Python {platform.python_version()} on {platform.machine()}"
        return UserError(
            f"package {name!r} has no wheel for {tag}, only source code", "name a package or version that has wheels"
        )
    return UserError(f"package {name!r} has no version that fits {line!r}", f"it has {', '.join(wheels[:6])}")


def _versions(name: str, wheels_only: bool) -> list[str]:
    command = [sys.executable, "-m", "pip", "index", "versions", name, "--disable-pip-version-check"]
    command += ["--only-binary", ":all:"] if wheels_only else []
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PIP_S, stdin=subprocess.DEVNULL)
    found = re.search(r"Available versions: (.*)", ended.stdout)
    return found[1].split(", ") if found and ended.returncode == 0 else []


def _installed() -> list[str]:
    """name==version of this environment's packages, which the reward's modules must leave as they are."""
    return sorted({f"{d.name}=={d.version}" for d in importlib.metadata.distributions() if d.name != "kuberacer"})


def _python_tag() -> str:
    return f"{sys.implementation.cache_tag}-{sys.platform}-{platform.machine()}"


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(text)
    partial.replace(path)
