"""A store that is away for a while costs nothing but time; a run's output is copied into it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from kuberacer.errors import UserError
from kuberacer.settings import StoreSettings
from kuberacer.store.client import AwayError, NotFoundError, ObjectStore
from kuberacer.store.persevere import persevere

AWAY = StoreSettings(
    kuberacer_s3_endpoint="http://127.0.0.1:9",
    kuberacer_s3_bucket="b",
    aws_access_key_id=SecretStr("k"),
    aws_secret_access_key=SecretStr("s"),
)


def test_it_is_tried_until_it_works_and_said_once() -> None:
    answers = [AwayError("away", "wait")] * 3
    said: list[str] = []

    def action() -> str:
        if answers:
            raise answers.pop()
        return "done"

    assert persevere("policy 3", action, said.append, sleep=lambda s: None) == "done"
    assert len(said) == 2
    assert said[0].startswith("policy 3: away; trying again")
    assert "back" in said[1]


def test_what_waiting_does_not_help_is_raised_at_once() -> None:
    said: list[str] = []

    def action() -> None:
        raise NotFoundError("no such object", "look")

    with pytest.raises(NotFoundError):
        persevere("x", action, said.append)
    assert not said


def test_patience_ends_and_leaving_ends_it_sooner() -> None:
    store = ObjectStore(AWAY, timeout_s=1, attempts=1)
    began = time.monotonic()
    with pytest.raises(AwayError, match="cannot be reached"):
        persevere("x", lambda: store.put_bytes("k", b""), print, patience_s=0.5)
    with pytest.raises(AwayError):
        persevere("x", lambda: store.put_bytes("k", b""), print, going=lambda: False)
    assert time.monotonic() - began < 20


PROGRAM = """
import os, subprocess, sys, time
from kuberacer.errors import UserError
from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore
from kuberacer.store.log_copy import LogCopy
with LogCopy(ObjectStore(StoreSettings.from_environment(), attempts=1, timeout_s=2), "run/logs/x.log", every_s=0.2):
    print("first", flush=True)
    subprocess.run(["sh", "-c", "echo a child; echo to error >&2"])
    time.sleep(float(sys.argv[1]))
    raise UserError("it went wrong", "mend it")
"""


def run(settings: StoreSettings, seconds: float) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(seconds)],
        env={**settings.environment(), "PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_output_goes_where_it_went_and_into_the_store(settings: StoreSettings, store: ObjectStore) -> None:
    out, errors = run(settings, 0).communicate(timeout=60)
    assert out == "first\na child\n"
    assert "to error\n" in errors
    copied = store.get_bytes("run/logs/x.log").decode()
    for wanted in ("first\n", "a child\n", "to error\n", "error: it went wrong\n"):
        assert wanted in copied


def test_a_killed_process_has_left_what_it_said(settings: StoreSettings, store: ObjectStore) -> None:
    def log() -> str:
        return store.get_bytes("run/logs/x.log").decode() if store.exists("run/logs/x.log") else ""

    process = run(settings, 60)
    until = time.monotonic() + 60
    while "first\n" not in log() and time.monotonic() < until:  # output and errors come by two pipes, in any order
        time.sleep(0.1)
    process.kill()
    process.communicate()
    assert "first\n" in log()


def test_without_a_store_the_process_works_on() -> None:
    out, errors = run(AWAY, 0.5).communicate(timeout=60)
    assert out == "first\na child\n"
    assert "it went wrong" in errors


def test_away_is_a_users_error() -> None:
    assert issubclass(AwayError, UserError)
