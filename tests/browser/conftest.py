"""One browser, one folder of runs with two trainings, and one server for all tests."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.looker import Looker
from tests.browser.site import ROOT, Server, Training

PICTURES = ROOT / "out" / "browser"
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no Chromium; Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        # Without its sandbox, which root may not use: it sees nothing but our own server.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    return PICTURES


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site") / "out"


@pytest.fixture(scope="session")
def endless(browser: Browser, out: Path) -> Iterator[Training]:
    """A training that goes on until it is stopped."""
    training = Training.start(out, out.parent / "endless.json", "--minutes", "30", "--seed", "1")
    assert training.run
    yield training
    training.stop()


@pytest.fixture(scope="session")
def short(endless: Training, out: Path) -> Iterator[Training]:
    """A run that ends soon, with a result."""
    training = Training.start(
        out, out.parent / "short.json", "--minutes", "0", "--steps", "512", "--training-videos", "1"
    )
    assert training.run
    yield training
    training.stop()


@pytest.fixture(scope="session")
def server(endless: Training, short: Training, out: Path) -> Iterator[Server]:
    server = Server(out).start()
    yield server
    server.stop()


@pytest.fixture
def visit(browser: Browser, pictures: Path) -> Iterator[Callable[[str], Looker]]:
    """visit(address) -> Looker of a new page; what it was told and asked is checked in the end."""
    lookers = []

    def make(address: str) -> Looker:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        lookers.append(Looker(context.new_page(), address, pictures))
        return lookers[-1]

    yield make
    for looker in lookers:
        looker.page.context.close()
    for looker in lookers:
        looker.check()


@pytest.fixture
def looker(visit: Callable[[str], Looker], server: Server) -> Looker:
    return visit(server.address)
