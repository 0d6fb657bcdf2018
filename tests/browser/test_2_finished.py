"""After the end: report, videos, downloads, comparison, leaderboard; empty and broken places; a token."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.looker import NOT_FOUND, SANDBOXED, Looker
from tests.browser.site import Server, Training

EVIL = "<img src=x onerror=\"document.title='taken'\">"


@pytest.fixture(scope="module")
def finished(short: Training) -> str:
    """The name of a run that ended well."""
    assert short.end() == 0, short.lines
    return short.run


@pytest.fixture(scope="module")
def second(finished: str, out: Path) -> str:
    """The same run once more, with another seed in its record."""
    return copy(out, finished, f"{finished}-seed-7", seed=7)


def copy(out: Path, run: str, name: str, **record: object) -> str:
    shutil.copytree(out / run, out / name, symlinks=True, ignore=shutil.ignore_patterns(".*"))
    path = out / name / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"run": name} | record))
    return name


def test_a_finished_run_shows_what_came_of_it(looker: Looker, finished: str) -> None:
    looker.go(f"/runs/{finished}")
    assert looker.text(".badge") == "finished"
    text = looker.text("main")
    assert "of 1" in text.split("Laps completed")[1][:20]
    assert looker.points("Mean return") == 2
    video = looker.page.locator("video")
    looker.wait("the video", lambda: video.evaluate("video => video.readyState >= 1 && video.duration > 0"))
    choice = looker.page.get_by_role("combobox", name="Which video")
    other = choice.locator("option").last.get_attribute("value")
    choice.select_option(other)
    looker.wait("the other video", lambda: video.evaluate("video => video.readyState >= 1 && video.duration > 0"))
    looker.look("finished")


def test_the_report_is_shown_without_the_rights_of_the_page(looker: Looker, finished: str) -> None:
    looker.expected = SANDBOXED
    looker.go(f"/runs/{finished}")
    looker.page.get_by_text("Show it here").click()
    frame = looker.page.frame_locator("iframe")
    frame.get_by_role("heading", level=1).wait_for()
    assert looker.page.locator("iframe").get_attribute("sandbox") == ""


def test_a_file_is_downloaded(looker: Looker, finished: str, out: Path) -> None:
    looker.go(f"/runs/{finished}")
    looker.page.get_by_role("button", name="more").click()
    with looker.page.expect_download() as caught:
        looker.page.get_by_role("link", name="model.tar.gz", exact=True).click()
    assert Path(caught.value.path()).read_bytes() == (out / finished / "model.tar.gz").read_bytes()


def test_two_runs_are_compared(looker: Looker, finished: str, second: str) -> None:
    looker.go("/")
    for run in (finished, second):
        looker.page.get_by_role("checkbox", name=f"Compare {run}", exact=True).check()
    looker.page.get_by_role("button", name="Compare 2 runs").click()
    looker.page.wait_for_selector("figure.chart path.series-1")
    assert looker.page.locator("figure.chart").first.locator("path").count() == 2
    looker.page.get_by_role("radio", name="steps").check()
    looker.wait("steps", lambda: "Steps 512" in looker.text(".scrub label"))
    settings = looker.page.get_by_role("region", name="Differing settings").inner_text()
    assert "seed" in settings
    assert "7" in settings
    looker.look("compare")
    looker.page.get_by_role("button", name=f"Leave out {second}").click()
    looker.wait("advice", lambda: "Choose two runs or more" in looker.text("main"))


def test_the_leaderboard_names_who_was_fastest(looker: Looker, finished: str, second: str) -> None:
    looker.go("/leaderboard")
    assert looker.text("h2") == "Time trial on pebble"
    assert finished in looker.text("tbody")
    looker.look("leaderboard")


def test_the_list_in_every_width(looker: Looker, finished: str, second: str) -> None:
    looker.go("/")
    looker.wait("all three", lambda: looker.page.locator("tbody tr").count() >= 3)
    looker.look("runs")


def test_a_run_that_is_published_appears_by_itself(looker: Looker, finished: str, out: Path) -> None:
    looker.go("/")
    name = copy(out, finished, f"{finished}-late")
    looker.wait("the new run", lambda: name in looker.text("tbody"))
    shutil.rmtree(out / name)
    looker.wait("no such run", lambda: name not in looker.text("tbody"))


def test_texts_of_others_stay_texts(looker: Looker, finished: str, out: Path) -> None:
    name = copy(out, finished, f"{finished}-evil", track=EVIL, algorithm=EVIL, parameters={"reward": EVIL})
    for page in ("/", f"/runs/{name}", f"/compare?runs={finished},{name}"):
        looker.go(page)
        looker.wait("the text", lambda: EVIL in looker.text("main"))
        assert looker.page.locator("main img[src='x']").count() == 0
        assert looker.page.title() != "taken"
    shutil.rmtree(out / name)


def test_what_is_not_there_is_said(visit: Callable[[str], Looker], server: Server) -> None:
    looker = visit(server.address)
    looker.expected = NOT_FOUND
    looker.page.goto(server.address + "/runs/nobody")
    looker.page.wait_for_selector(".notice")
    assert "there is no run nobody" in looker.text("main")
    looker.page.get_by_role("link", name="All runs").click()
    looker.page.wait_for_selector("main[data-ready]")


@pytest.fixture(params=["", "a-token-of-the-test"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "out").mkdir()
    server = Server(tmp_path / "out", token=request.param).start()
    yield server
    server.stop()


def test_an_empty_folder_says_what_to_do(empty: Server, visit: Callable[[str], Looker]) -> None:
    looker = visit(empty.address)
    looker.go(f"/?token={empty.token}" if empty.token else "/")
    assert "make run-pipeline" in looker.text("main")
    assert "token" not in looker.page.url
    for page in ("Compare", "Leaderboard"):
        looker.page.get_by_role("link", name=page).click()
        looker.page.wait_for_selector(f"h1:text-is('{page}')")
        looker.wait("what to do", lambda: "make run-pipeline" in looker.text("main"))
    looker.look("empty")


def test_the_theme_is_kept(looker: Looker, finished: str) -> None:
    looker.go("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    looker.page.get_by_role("button", name="Theme").click()
    light = looker.page.evaluate(ground)
    looker.page.get_by_role("button", name="Theme: light").click()
    dark = looker.page.evaluate(ground)
    assert light != dark
    looker.go(f"/runs/{finished}")
    assert looker.page.evaluate(ground) == dark
