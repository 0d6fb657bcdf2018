"""A reward in another language as one text: YAML or JSON that says how it is started, and holds its files.

    kuberacer_reward: 1               # the version of the protocol that it speaks
    command: [node, reward.js]
    files: [reward.js]                # beside this file; or {name: text}, {name: s3://…}, {name: {base64: …}}
    build: [cc, -O2, -o, reward, reward.c]
    timeout_s: 2
    memory_mib: 512

or, instead of command, files and build, `http: http://host:port/path`. docs/reward-languages.md says what they mean.
"""

import base64
import binascii
import difflib
import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from kuberacer.errors import UserError

KEY, VERSION = "kuberacer_reward", 1
KEYS = (KEY, "command", "build", "http", "timeout_s", "memory_mib", "files", "built")
MAX_CHARACTERS = 200_000  # of what is given; with the content of its files MAX_PACKED
MAX_PACKED = 48 << 20
MAX_FILES, MAX_BYTES = 200, 32 << 20
MAX_WORDS, MAX_WORD = 100, 4_000
DOCUMENT_NAME = "reward.json"  # of what validate_reward writes
SUFFIXES = (".yaml", ".yml", ".json")
_LANGUAGES = {
    ".c": "C", ".cc": "C++", ".cpp": "C++", ".cxx": "C++", ".cs": "C#", ".go": "Go", ".java": "Java", ".jl": "Julia",
    ".js": "JavaScript", ".mjs": "JavaScript", ".cjs": "JavaScript", ".lua": "Lua", ".m": "Octave", ".pl": "Perl",
    ".py": "Python", ".r": "R", ".rb": "Ruby", ".rs": "Rust", ".swift": "Swift", ".ts": "TypeScript", ".zig": "Zig",
}  # fmt: skip
_NAME = re.compile(r"(?!.*(^|/)\.)[A-Za-z0-9_.][A-Za-z0-9_.+-]*(/[A-Za-z0-9_.][A-Za-z0-9_.+-]*)*")
_FIRST = re.compile(rf"^{KEY}\s*:", re.MULTILINE)
_REMEDY = "write it as in docs/reward-languages.md"


def is_document(text: str) -> bool:
    """Whether a reward's text is such a document, and not Python."""
    return _FIRST.search(text) is not None or (text.lstrip().startswith("{") and f'"{KEY}"' in text)


@dataclass(frozen=True)
class RewardDocument:
    """files: what is known of them; absent: name -> the s3:// address of the others, '' of those beside the document.

    built: the kind of machine that `build` has run on, '' before. name: of the document, for messages."""

    name: str
    command: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    http: str = ""
    timeout_s: float = 2.0
    memory_mib: int = 512
    files: Mapping[str, bytes] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    built: str = ""

    @classmethod
    def parse(cls, text: str, name: str = "reward.yaml") -> "RewardDocument":
        """Raises UserError that names the document and the key."""
        return _Reader(name).read(text)

    @property
    def language(self) -> str:
        """For people: of the source files, else the program's name."""
        if self.http:
            return "HTTP"
        for suffix in (PurePosixPath(name).suffix.lower() for name in (*self.command, *self.files, *self.absent)):
            if suffix in _LANGUAGES:
                return _LANGUAGES[suffix]
        return PurePosixPath(self.command[0]).name

    def with_files(self, fetch: Callable[[str, str], bytes | None]) -> "RewardDocument":
        """The same with the files that fetch(name, address) gives; it may leave one where it is. Raises UserError."""
        found = {name: fetch(name, address) for name, address in self.absent.items()}
        files = {**self.files, **{name: data for name, data in found.items() if data is not None}}
        _check_size(self.name, files)
        return replace(
            self, files=files, absent={name: self.absent[name] for name, data in found.items() if data is None}
        )

    def to_text(self) -> str:
        """One JSON text that parse() reads, the same for the same content."""
        absent = {name: address or None for name, address in self.absent.items()}
        files = {name: _packed(data) for name, data in self.files.items()} | absent
        values = {
            KEY: VERSION, "command": self.command, "build": self.build, "http": self.http,
            "timeout_s": self.timeout_s, "memory_mib": self.memory_mib, "built": self.built,
            "files": dict(sorted(files.items())),
        }  # fmt: skip
        return json.dumps({key: value for key, value in values.items() if value}, indent=1) + "\n"

    def readable(self) -> str:
        """For a report: how it is started, and its source files."""
        lines = [f"http: {self.http}"] if self.http else [f"command: {shlex.join(self.command)}"]
        lines += [f"build: {shlex.join(self.build)}"] if self.build else []
        for name, data in sorted(self.files.items()):
            text = _text(data)
            lines.append(f"\n--- {name}" + ("" if text is not None else f" ({len(data):,} bytes)"))
            lines += [] if text is None else [text.rstrip("\n")]
        return "\n".join(lines) + "\n"


class _Reader:
    """Reads one document; name: what errors call it."""

    def __init__(self, name: str):
        self.name = name

    def read(self, text: str) -> RewardDocument:
        given = self._mapping(text)
        for key in given:
            if key not in KEYS:
                near = difflib.get_close_matches(key, KEYS, n=1)
                raise self.fault(f"unknown key {key!r:.60}", f"did you mean {near[0]}?" if near else _keys())
        if str(given.get(KEY)) != str(VERSION):
            raise self.fault(f"{KEY} is {given.get(KEY)!r:.60}", f"this KubeRacer speaks {KEY}: {VERSION}")
        files, absent = self._files(given.get("files") or {})
        document = RewardDocument(
            name=self.name,
            command=self._words(given, "command"),
            build=self._words(given, "build"),
            http=self._address(given.get("http") or ""),
            timeout_s=self._number(given, "timeout_s", 2.0, 0.05, 60.0),
            memory_mib=int(self._number(given, "memory_mib", 512, 16, 16_384)),
            files=files,
            absent=absent,
            built=self._text(given, "built"),
        )
        if bool(document.command) == bool(document.http):
            raise self.fault("it needs either `command` or `http`", "command: [node, reward.js]")
        if document.http and (document.build or files or absent):
            raise self.fault("`http` stands alone", "leave out build and files: the server has its own")
        return document

    def fault(self, what: str, remedy: str = _REMEDY) -> UserError:
        return UserError(f"{self.name}: {what}", remedy)

    def _mapping(self, text: str) -> dict[str, Any]:
        if len(text) > MAX_PACKED:
            raise self.fault(f"{len(text):,} characters, at most {MAX_PACKED:,}", "use smaller files")
        if text.lstrip().startswith("{"):  # what to_text() wrote: YAML would take minutes for large files
            try:
                found = json.loads(text, object_pairs_hook=self._pairs)
            except (ValueError, RecursionError) as error:
                raise self.fault(f"not JSON: {error}") from None
            return dict(found)
        if len(text) > MAX_CHARACTERS:
            remedy = "name the s3:// address of large files"
            raise self.fault(f"{len(text):,} characters, at most {MAX_CHARACTERS:,}", remedy)
        # A rollout worker's image has no YAML; what comes there is JSON.
        from kuberacer.formats.yaml_input import read_nested

        found = read_nested(text, self.name, 3, _REMEDY)
        if not isinstance(found, dict):
            raise self.fault("it has no keys")
        return found

    def _pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise self.fault(f"{twice!r:.60} is given twice", "give it once")
        return found

    def _words(self, given: dict, key: str) -> tuple[str, ...]:
        value = given.get(key) or []
        try:
            words = shlex.split(value) if isinstance(value, str) else value
        except ValueError as error:
            raise self.fault(f"{key}: {error}", f"write it as a list: {key}: [node, reward.js]") from None
        if not isinstance(words, list) or not all(isinstance(w, str) and "\0" not in w for w in words):
            raise self.fault(f"{key} is no list of words", f"{key}: [node, reward.js]")
        if len(words) > MAX_WORDS or any(len(word) > MAX_WORD for word in words):
            raise self.fault(f"{key} is too long", f"at most {MAX_WORDS} words of {MAX_WORD:,} characters")
        return tuple(words)

    def _text(self, given: dict, key: str) -> str:
        value = given.get(key) or ""
        if not isinstance(value, str) or len(value) > MAX_WORD:
            raise self.fault(f"{key} is no text")
        return value

    def _number(self, given: dict, key: str, default: float, least: float, most: float) -> float:
        value = given.get(key)
        try:
            number = default if value is None else float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if isinstance(value, bool) or not least <= number <= most:
            raise self.fault(f"{key} is {value!r:.60}", f"give a number from {least:g} to {most:g}")
        return number

    def _address(self, value: Any) -> str:
        try:
            parts = urlsplit(value) if isinstance(value, str) and value.isprintable() and " " not in value else None
            port_is_good = parts is not None and (parts.port is None or parts.port > 0)
        except ValueError:
            parts, port_is_good = None, False
        if value == "":
            return ""
        if parts is None or not port_is_good or parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.fault(f"http is {value!r:.100}, no address", "http: http://127.0.0.1:8080/reward")
        if parts.username is not None or parts.fragment or len(value) > 2_000:
            raise self.fault("http has a password, a fragment or too many characters", "model cards show the address")
        return str(value)

    def _files(self, value: Any) -> tuple[dict[str, bytes], dict[str, str]]:
        entries = dict.fromkeys(value) if isinstance(value, list) and _texts(value) else value
        if not isinstance(entries, dict) or len(entries) > MAX_FILES:
            raise self.fault(f"files is no list of up to {MAX_FILES} names", "files: [reward.js]")
        files: dict[str, bytes] = {}
        absent: dict[str, str] = {}
        for name, content in entries.items():
            if not _NAME.fullmatch(name) or len(name) > 200:
                raise self.fault(
                    f"file name {name!r:.60}", "a path below the document's folder, of A-Z a-z 0-9 _ . + -"
                )
            if content is None:
                absent[name] = ""
            elif isinstance(content, str) and re.fullmatch(r"s3://[^\s]+", content):
                absent[name] = content
            else:
                files[name] = self._content(name, content)
        _check_size(self.name, files)
        return files, absent

    def _content(self, name: str, content: Any) -> bytes:
        if isinstance(content, str):
            try:
                return content.encode()
            except UnicodeEncodeError:
                raise self.fault(f"file {name} is not text") from None
        if isinstance(content, dict) and list(content) == ["base64"] and isinstance(content["base64"], str):
            try:
                return base64.b64decode(content["base64"], validate=True)
            except (binascii.Error, ValueError) as error:
                raise self.fault(f"file {name} is not base64: {error}") from None
        raise self.fault(f"file {name} is neither text, an s3:// address nor {{base64: …}}")


def _texts(values: list) -> bool:
    return all(isinstance(value, str) for value in values)


def _check_size(name: str, files: Mapping[str, bytes]) -> None:
    size = sum(map(len, files.values()))
    if size > MAX_BYTES or len(files) > MAX_FILES:
        raise UserError(
            f"{name}: {len(files)} files of {size:,} bytes, at most {MAX_FILES} of {MAX_BYTES:,}",
            "leave out what the program does not need, or put it into the image",
        )


def _packed(data: bytes) -> Any:
    text = _text(data)
    plain = text is not None and not text.startswith("s3://")
    return text if plain else {"base64": base64.b64encode(data).decode()}


def _text(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _keys() -> str:
    return f"the keys are {', '.join(KEYS[:-1])}"
