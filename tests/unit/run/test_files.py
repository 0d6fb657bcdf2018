"""The user's files: read, or an error that helps."""

from pathlib import Path

import pytest

from kuberacer.errors import UserError
from kuberacer.run.files import read_user_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_reward.py").write_text("def reward_function(params): return 1.0  # ü\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "sub").mkdir()
    return tmp_path


def test_reads_text(folder: Path) -> None:
    assert "ü" in read_user_file(folder / "my_reward.py", "reward")


@pytest.mark.parametrize("name", ["my_rewrd.py", "my_reward.pyy", "myreward.py"])
def test_a_misspelt_name_is_put_right(folder: Path, name: str) -> None:
    with pytest.raises(UserError) as caught:
        read_user_file(folder / name, "reward")
    assert str(folder / "my_reward.py") in caught.value.remedy


def test_without_a_near_name_the_folder_is_told(folder: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_user_file(folder / "absent" / "zzz.py", "reward")
    assert "my_reward.py" in caught.value.remedy
    assert "notes.txt" not in caught.value.remedy


def test_folders_and_binary_files_are_refused(folder: Path) -> None:
    (folder / "model.pb").write_bytes(b"\xff\xfe\x00")
    for name in ("sub", "model.pb"):
        with pytest.raises(UserError, match=name):
            read_user_file(folder / name, "reward")
