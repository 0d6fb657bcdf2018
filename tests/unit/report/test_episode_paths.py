"""The episodes of the report: few enough, fairly chosen, and exact as far as their bytes go."""

import base64
import json
import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.report import episode_paths
from kuberacer.sim.track import Track
from tests.unit.report.traced import episode, steps


def line(number: int, count: int, iteration: int, progress: float = 10.0) -> np.ndarray:
    return episode(number, 0.1 * np.arange(count), np.zeros(count), iteration, progress=progress)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5), st.floats(0, 100)), max_size=30), st.integers(0, 120))
def test_the_chosen_episodes_fit_and_every_iteration_has_its_best_before_any_has_two(entries, most: int) -> None:
    entries = sorted(entries, key=lambda entry: entry[1])
    made = steps(*(line(number, *entry) for number, entry in enumerate(entries)))
    chosen = set(episode_paths.select(made, most).tolist())
    assert sum(entries[number][0] for number in chosen) <= most
    assert len(chosen) == len(entries) or sum(entry[0] for entry in entries) > most
    by_iteration: dict[int, list[int]] = {}
    for number, (_, iteration, _) in enumerate(entries):
        by_iteration.setdefault(iteration, []).append(number)
    shown = [[number for number in numbers if number in chosen] for numbers in by_iteration.values()]
    if any(len(numbers) > 1 for numbers in shown):
        assert all(shown)
    for numbers, mine in zip(shown, by_iteration.values(), strict=True):
        if numbers:
            best = max(entries[number][2] for number in mine)
            assert best in [entries[number][2] for number in numbers]


def test_iterations_are_thinned_evenly() -> None:
    made = steps(*(line(number, 10, number + 1) for number in range(64)))
    chosen = episode_paths.select(made, 80)
    assert np.diff(chosen).tolist() == [8] * 7


def test_the_bytes_are_the_steps(ring: Track) -> None:
    angle = np.linspace(0, 5, 60)
    there = episode(7, 3.1 * np.cos(angle), 3.1 * np.sin(angle), 2, reward=np.linspace(-1, 4, 60), progress=80.0)
    packed = episode_paths.pack(ring, steps(there), np.array([0]))
    (told,) = packed["episodes"]
    assert told == {
        "iteration": 2, "number": 7, "steps": 60, "return": 90.0, "progress": 80.0, "seconds": 4.0,
        "status": "off track",
    }  # fmt: skip
    places = np.frombuffer(base64.b64decode(packed["places"]), "<u2").reshape(-1, 2) * packed["unit"] + packed["corner"]
    np.testing.assert_allclose(places, np.column_stack([there["x"], there["y"]]), atol=0.51 * packed["unit"])
    for name, values in (("reward", there["reward"]), ("speed", steps(there).speed)):
        scale = packed[name]
        bytes_ = np.frombuffer(base64.b64decode(scale["bytes"]), np.uint8)
        read = scale["low"] + bytes_ / 255 * (scale["high"] - scale["low"])
        np.testing.assert_allclose(read, np.clip(values, scale["low"], scale["high"]), atol=0.02)


def test_the_section_holds_its_data_and_ends_no_script_early(ring: Track) -> None:
    evil = line(0, 5, 1)
    evil["episode_status"][-1] = "</script>"
    made = episode_paths.section(ring, steps(evil, line(1, 4, 2)), steps(line(0, 3, 1)))
    assert made.count("</script>") == 2, "the data's and the script's own"
    data = json.loads(re.search(r"json'>(.*?)</script>", made)[1])  # type: ignore[index]
    assert [(told["iteration"], told["steps"]) for told in data["episodes"]] == [(0, 3), (1, 5), (2, 4)]
    assert "all 2; trials of the evaluation: 1 of 1." in made


def test_a_page_is_bounded_however_long_the_training(ring: Track) -> None:
    many = steps(*(line(number, 200, 1 + number // 10) for number in range(600)), of=60)
    made = episode_paths.section(ring, many, None)
    assert len(made) < 800_000
    assert "300 of 600, of each iteration those that came furthest first" in made


def test_a_training_without_episodes_has_a_section_all_the_same(ring: Track) -> None:
    assert "all 0" in episode_paths.section(ring, steps(), None)
