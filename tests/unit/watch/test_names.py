"""Names that lead out of a run's folder reach no disk and no store."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.store.client import NotFoundError
from kuberacer.watch.names import checked_path, checked_run, content_type, kind, prefix_of

BAD_PARTS = st.sampled_from(["..", ".", "", ".store", ".hidden", "a\\b", "a\x00b", "a\nb"])
PARTS = st.one_of(BAD_PARTS, st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))


@given(st.lists(PARTS, min_size=1, max_size=5))
def test_a_path_that_passes_stays_below_the_folder(parts):
    path = "/".join(parts)
    try:
        checked_path(path)
    except NotFoundError:
        return
    kept = path.split("/")
    assert not any(part in ("", ".", "..") or part.startswith(".") or "\\" in part for part in kept)
    assert kept[0] not in ("objects", "checkpoints", "live")


@given(st.lists(PARTS, max_size=3), BAD_PARTS, st.lists(PARTS, max_size=3))
def test_no_path_with_a_bad_part_passes(before, bad, after):
    with pytest.raises(NotFoundError):
        checked_path("/".join([*before, bad, *after]))


@given(st.text(max_size=30))
def test_a_run_s_name_has_no_way_up(name):
    try:
        checked_run(name)
    except NotFoundError:
        return
    assert "/" not in name
    assert not name.startswith(".")
    assert prefix_of(name).split("/")[0] not in ("", ".", "..")


def test_a_trial_of_a_sweep_lies_under_the_sweep():
    assert prefix_of(checked_run("sweep-kidney-1~default-0")) == "sweep-kidney-1/trials/default-0"
    for name in ("a~", "~a", "a~b~c", "a~../b"):
        with pytest.raises(NotFoundError):
            checked_run(name)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("report.html", "report"), ("mp4/training/camera-pip/1-video.mp4", "video"), ("model.tar.gz", "model"),
        ("model/model_3.pb", "model"), ("TrainingMetrics.json", "metrics"), ("evaluation_metrics.json", "metrics"),
        ("history.jsonl", "metrics"), ("simtrace/0-iteration.csv", "trace"), ("reward_function.py", "other"),
    ],
)  # fmt: skip
def test_a_file_s_kind(path, wanted):
    assert kind(path) == wanted


def test_what_a_browser_would_run_is_told_to_be_text():
    assert content_type("reward_function.py").startswith("text/plain")
    assert content_type("a.svg") == "application/octet-stream"
