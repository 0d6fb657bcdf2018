"""Rewards in other languages as one text: what is read, what is refused, and nothing else can happen."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.formats.reward_document import RewardDocument, is_document

NODE = "kuberacer_reward: 1\ncommand: [node, reward.js]\nfiles: [reward.js]\n"

FAULTS = {
    "version": ("kuberacer_reward: 2\ncommand: [a]\n", "kuberacer_reward is '2'"),
    "neither": ("kuberacer_reward: 1\n", "needs either `command` or `http`"),
    "both": ("kuberacer_reward: 1\ncommand: a\nhttp: http://a/\n", "needs either"),
    "unknown key": ("kuberacer_reward: 1\ncomand: [a]\n", "unknown key 'comand'"),
    "twice": ("kuberacer_reward: 1\ncommand: a\ncommand: b\n", "given twice"),
    "twice in JSON": ('{"kuberacer_reward": 1, "command": ["a"], "command": ["b"]}', "given twice"),
    "not YAML": ("kuberacer_reward: 1\ncommand: [a\n", "not YAML"),
    "not JSON": ('{"kuberacer_reward": 1,', "not JSON"),
    "alias": ("kuberacer_reward: 1\ncommand: &a [x]\nbuild: *a\n", "alias"),
    "deep": ("kuberacer_reward: 1\nfiles: {a: {base64: [x]}}\n", "nested too deeply"),
    "deep in JSON": ('{"kuberacer_reward": 1, "files": ' + "[" * 100_000, "not JSON"),
    "no words": ("kuberacer_reward: 1\ncommand: {a: b}\n", "command is no list of words"),
    "quote": ("kuberacer_reward: 1\ncommand: a 'b\n", "command: No closing quotation"),
    "outside": ("kuberacer_reward: 1\ncommand: a\nfiles: [../a]\n", "file name '../a'"),
    "absolute": ("kuberacer_reward: 1\ncommand: a\nfiles: [/etc/passwd]\n", "file name '/etc/passwd'"),
    "hidden": ("kuberacer_reward: 1\ncommand: a\nfiles: [a/.b]\n", "file name 'a/.b'"),
    "not base64": ("kuberacer_reward: 1\ncommand: a\nfiles: {a: {base64: '?'}}\n", "file a is not base64"),
    "no content": ("kuberacer_reward: 1\ncommand: a\nfiles: {a: [b]}\n", "file a is neither text"),
    "time": ("kuberacer_reward: 1\ncommand: a\ntimeout_s: never\n", "timeout_s is 'never'"),
    "long time": ("kuberacer_reward: 1\ncommand: a\ntimeout_s: 1e9\n", "timeout_s is '1e9'"),
    "NaN": ("kuberacer_reward: 1\ncommand: a\ntimeout_s: nan\n", "timeout_s is 'nan'"),
    "memory": ("kuberacer_reward: 1\ncommand: a\nmemory_mib: 1\n", "memory_mib is '1'"),
    "address": ("kuberacer_reward: 1\nhttp: localhost:80\n", "no address"),
    "scheme": ("kuberacer_reward: 1\nhttp: file:///etc/passwd\n", "no address"),
    "port": ("kuberacer_reward: 1\nhttp: http://a:99999/\n", "no address"),
    "line": ('kuberacer_reward: 1\nhttp: "http://a/\\r\\nX: y"\n', "no address"),
    "password": ("kuberacer_reward: 1\nhttp: http://me:secret@a/\n", "has a password"),
    "http with files": ("kuberacer_reward: 1\nhttp: http://a/\nfiles: [b]\n", "`http` stands alone"),
    "large": ("kuberacer_reward: 1\ncommand: a\nfiles: {a: '" + "x" * 200_000 + "'}\n", "at most 200,000"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_name_the_document(fault: str) -> None:
    text, words = FAULTS[fault]
    with pytest.raises(UserError) as found:
        RewardDocument.parse(text, "mine.yaml")
    assert found.value.cause.startswith("mine.yaml: ")
    assert words in found.value.cause
    assert "\n" not in found.value.cause + found.value.remedy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NODE, True),
        ("# mine\n\n" + NODE, True),
        ('{"command": ["a"], "kuberacer_reward": 1}', True),
        ("def reward_function(params):\n    kuberacer_reward = 1\n    return 1.0\n", False),
        ("", False),
    ],
)
def test_what_is_a_document(text: str, expected: bool) -> None:
    assert is_document(text) == expected


def test_files_come_from_where_they_are_named() -> None:
    text = "kuberacer_reward: 1\ncommand: ./go\nfiles:\n  go.sh: |\n    echo\n  blob: s3://b/k\n  here:\n"
    document = RewardDocument.parse(text)
    assert document.files == {"go.sh": b"echo\n"}
    assert document.absent == {"blob": "s3://b/k", "here": ""}
    half = document.with_files(lambda name, address: None if address else b"\x00")
    assert (half.files["here"], dict(half.absent)) == (b"\x00", {"blob": "s3://b/k"})
    again = RewardDocument.parse(half.to_text(), document.name)
    assert again == half
    assert not again.with_files(lambda name, address: address.encode()).absent


def test_too_much_is_refused() -> None:
    with pytest.raises(UserError, match="at most"):
        RewardDocument.parse(NODE).with_files(lambda name, address: bytes(33 << 20))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (NODE, "JavaScript"),
        ("kuberacer_reward: 1\ncommand: [reward]\nfiles: [reward.c]\n", "C"),
        ("kuberacer_reward: 1\ncommand: [reward]\nfiles: {reward: s3://a/b}\n", "reward"),
        ("kuberacer_reward: 1\nhttp: https://a/b?c=d\n", "HTTP"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert RewardDocument.parse(text).language == language


names = st.from_regex(r"[a-z]{1,8}(/[a-z0-9_]{1,8}\.[a-z]{1,3})?", fullmatch=True)
contents = st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode), st.just(b"s3://not/an/address"))


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=4),
    st.dictionaries(names, contents, max_size=4),
    st.floats(0.05, 60),
    st.integers(16, 16_384),
)
def test_what_is_written_is_read(command: list[str], files: dict[str, bytes], seconds: float, memory: int) -> None:
    document = RewardDocument(
        name="reward.yaml", command=tuple(command), files=files, timeout_s=seconds, memory_mib=memory, built="here"
    )
    text = document.to_text()
    assert is_document(text)
    assert RewardDocument.parse(text) == document
    assert RewardDocument.parse(text).to_text() == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["command", "build", "http", "timeout_s", "memory_mib", "files", "built"])


@given(st.dictionaries(keys, json_values))
def test_any_json_is_a_document_or_a_user_error(values: dict) -> None:
    try:
        document = RewardDocument.parse(json.dumps({"kuberacer_reward": 1, **values}))
    except UserError:
        return
    assert RewardDocument.parse(document.to_text()) == document


@given(st.text())
def test_any_text_is_a_document_or_a_user_error(text: str) -> None:
    with pytest.raises(UserError):
        RewardDocument.parse("kuberacer_reward: 1\n" + text + "\n: ")
