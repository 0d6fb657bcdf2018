"""While it trains: the list, the curves, the cars, the camera, the log; a server that goes away; a run that stops.

The file's number makes it the first: the training of these tests is stopped in the last of them.
"""

import re

from playwright.sync_api import Locator

from tests.browser.looker import LOST, Looker
from tests.browser.site import Server, Training


def open_run(looker: Looker, run: str) -> None:
    """From the list to the run's page, as a person would."""
    looker.go("/")
    card(looker, run).get_by_role("link", name=run, exact=True).click()
    looker.page.wait_for_selector("h1:text-is('" + run + "')")


def card(looker: Looker, run: str) -> Locator:
    """A running training's, in the list. The name in full: of two begun in one second, one has the other's and "-2"."""
    return looker.page.get_by_role("region", name=run, exact=True)


def car_places(looker: Looker) -> list[str | None]:
    return [car.get_attribute("transform") for car in looker.page.locator("svg.track .car").all()]


def test_the_list_shows_what_runs(looker: Looker, endless: Training, short: Training) -> None:
    looker.go("/")
    shown = card(looker, endless.run)
    assert "running" in shown.inner_text()
    looker.wait("the time left in minutes", lambda: re.search(r"Time left\s+\d+(\.\d)? min", shown.inner_text()))
    looker.wait("both in the table", lambda: looker.page.locator("tbody tr").count() == 2)
    assert looker.text("#link") == "Live"


def test_curves_grow_and_cars_drive(looker: Looker, endless: Training) -> None:
    open_run(looker, endless.run)
    first = looker.wait("a first point", lambda: looker.points("Mean return"))
    looker.page.evaluate("window.sameDocument = true")
    places = looker.wait("cars on the track", lambda: car_places(looker))
    assert len(places) == 4
    looker.wait("all cars drive", lambda: all(a != b for a, b in zip(places, car_places(looker), strict=True)))
    picture = looker.page.get_by_role("img", name="What the camera")
    seen = looker.wait("a picture", lambda: picture.get_attribute("src"))
    looker.wait("another picture", lambda: picture.get_attribute("src") != seen)
    looker.wait("more points", lambda: looker.points("Mean return") >= first + 2)
    for title in ("Completion", "Entropy", "Throughput", "Time of an iteration"):
        assert looker.points(title) >= first + 2, title
    assert "iteration" in looker.text("pre.log")
    assert re.search(r"Throughput\s+[\d,]+ steps/s", looker.text("main"))
    assert looker.page.evaluate("window.sameDocument"), "the page was loaded anew"


def test_nothing_moves_about_while_data_arrive(looker: Looker, endless: Training) -> None:
    looker.go(f"/runs/{endless.run}")
    before = looker.wait("a first point", lambda: looker.points("Mean return"))
    looker.wait("cars on the track", lambda: car_places(looker))
    looker.wait("one more", lambda: looker.points("Mean return") > before)
    assert looker.shift() < 0.1, "what web.dev calls good"


def test_values_of_an_iteration_are_read_with_pointer_and_keys(looker: Looker, endless: Training) -> None:
    looker.go(f"/runs/{endless.run}")
    looker.wait("three points", lambda: looker.points("Throughput") >= 3)
    slider = looker.page.get_by_role("slider")
    slider.focus()
    slider.press("Home")
    assert "Iteration 1 · values at" in looker.text(".scrub label")
    chart = looker.page.locator("figure.chart").nth(4)
    first = chart.locator(".now").inner_text()
    assert first.endswith("steps/s")
    box = chart.locator("svg").bounding_box()
    assert box is not None
    looker.page.mouse.move(box["x"] + box["width"] - 14, box["y"] + 60)
    looker.wait("the last value", lambda: chart.locator(".now").inner_text() != first)
    looker.page.mouse.move(0, 0)
    slider.press("End")
    assert "values of the newest" in looker.text(".scrub label")


def test_the_page_comes_back_after_its_server_does(looker: Looker, server: Server, endless: Training) -> None:
    looker.go(f"/runs/{endless.run}")
    before = looker.wait("a first point", lambda: looker.points("Mean return"))
    looker.wait("a live page", lambda: looker.text("#link") == "Live")
    looker.expected = LOST
    server.stop()
    looker.wait("a word of it", lambda: looker.text("#link").startswith("Connection lost"))
    endless.wait_for(f"train: iteration {before + 2} ")
    server.start()
    looker.wait("a live page again", lambda: looker.text("#link") == "Live")
    looker.wait("what was missed", lambda: looker.points("Mean return") >= before + 1)


def test_a_running_page_in_every_width(looker: Looker, endless: Training) -> None:
    looker.go(f"/runs/{endless.run}")
    looker.wait("cars on the track", lambda: car_places(looker))
    looker.wait("points", lambda: looker.points("Mean return"))
    looker.look("running")


def test_a_reader_who_wants_no_motion_gets_none(looker: Looker, endless: Training) -> None:
    looker.page.emulate_media(reduced_motion="reduce")
    looker.go(f"/runs/{endless.run}")
    looker.wait("cars on the track", lambda: car_places(looker))
    moves = looker.page.evaluate(
        """() => new Promise((done) => {
             const places = new Set();
             const car = document.querySelector("svg.track .car");
             const look = () => { places.add(car.getAttribute("transform")); requestAnimationFrame(look); };
             look();
             setTimeout(() => done(places.size), 2500);
           })"""
    )
    assert moves <= 4, "more than one place for each of the reports of the cars"


def test_a_stopped_run_says_how_to_go_on(looker: Looker, endless: Training) -> None:
    looker.go(f"/runs/{endless.run}")
    looker.wait("a live page", lambda: looker.text("#link") == "Live")
    endless.stop()
    looker.wait("the word", lambda: looker.text(".badge") == "stopped")
    looker.wait("the remedy", lambda: f"make run-pipeline RESUME={endless.run}" in looker.text("main"))
    looker.wait("no cars that drive", lambda: looker.page.locator("svg.track").count() == 0)
