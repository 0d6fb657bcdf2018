"""A reward in another language becomes one text on the command line."""

from pathlib import Path

import pytest

from kuberacer.errors import UserError
from kuberacer.formats.reward_document import RewardDocument
from kuberacer.run.reward_file import reward_text

HEAD = "kuberacer_reward: 1\ncommand: [node, a.js]\n"


def test_files_beside_it_travel_along(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("// é\n", encoding="utf-8")
    (tmp_path / "blob").write_bytes(b"\x00\xff")
    (tmp_path / "mine.yaml").write_text(HEAD + "files: {a.js: , blob: , far: s3://b/k}\n")
    document = RewardDocument.parse(reward_text(tmp_path / "mine.yaml"))
    assert document.files == {"a.js": "// é\n".encode(), "blob": b"\x00\xff"}
    assert document.absent == {"far": "s3://b/k"}


def test_python_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def reward_function(params):\n    return 1.0\n")
    assert reward_text(tmp_path / "mine.py") == (tmp_path / "mine.py").read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "files: [b.js]\n", "b.js does not exist"),
        (HEAD + "files: [large]\n", "at most 100,000 go into a parameter"),
        ("command: [node]\n", "does not say which version"),
        ("kuberacer_reward: 1\n", "mine.yaml: it needs either"),
    ],
)
def test_faults(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match=words):
        reward_text(tmp_path / "mine.yaml")
