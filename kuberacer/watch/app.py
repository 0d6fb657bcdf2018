"""The application: what answers which address. docs/watch.md has the interface."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Header, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from kuberacer.errors import UserError
from kuberacer.report.leaderboard import Board
from kuberacer.store.client import AwayError, NotFoundError
from kuberacer.watch import names, runs
from kuberacer.watch.feed import ListReader, RunReader
from kuberacer.watch.guard import FILES, Guard
from kuberacer.watch.pages import CrowdedError, Feeds
from kuberacer.watch.runs import Runs

STATIC = Path(__file__).with_name("static")
PAGES = ("/", "/runs/{run}", "/compare", "/leaderboard")
METHODS = ["GET", "HEAD"]
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def make_app(source: Runs, token: str = "") -> ASGIApp:
    """token: '' for a server that only its own machine reaches."""
    feeds = Feeds()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await feeds.close()

    # No pages of documentation: they would be fetched from elsewhere.
    app = FastAPI(title="KubeRacer", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(UserError, explain)
    add_runs(app, source, feeds)
    add_files(app, source)
    add_pages(app)
    return Guard(app, token)


def add_runs(app: FastAPI, source: Runs, feeds: Feeds) -> None:
    @app.api_route("/api/runs", methods=METHODS)
    def all_runs() -> JSONResponse:
        return JSONResponse({"runs": runs.listed(source)})

    @app.get("/api/events")
    async def list_events() -> StreamingResponse:
        return pushed(feeds.listen("", ListReader(source)))

    @app.api_route("/api/runs/{run}", methods=METHODS)
    def one_run(run: str) -> JSONResponse:
        columns, rows = runs.table(source.history(run))
        files = [{"path": f.path, "size": f.size, "kind": names.kind(f.path)} for f in source.files(run)]
        history = {"columns": columns, "rows": rows}
        told = {**source.entry(run), "stages": source.stages(run), **source.detail(run)}
        return JSONResponse({**told, "history": history, "files": files})

    @app.get("/api/runs/{run}/events")
    async def events(run: str, last_event_id: Annotated[str, Header()] = "0") -> StreamingResponse:
        known = await asyncio.to_thread(source.entry, run)
        number = int(last_event_id) if re.fullmatch(r"\d{1,9}", last_event_id) else 0
        return pushed(feeds.listen(known["run"], RunReader(source, known["run"]), number))

    @app.api_route("/api/leaderboard", methods=METHODS)
    def leaderboard() -> JSONResponse:
        board = Board.of(source.cards())
        boards: dict[str, list[dict[str, Any]]] = {}
        for (race_type, track), entries in board.tables.items():
            for rank, entry in enumerate(entries, 1):
                boards.setdefault(f"{race_type} on {track}", []).append(
                    {
                        "rank": rank, "racer": entry.racer, "model": entry.model, "track": track,
                        "race_type": race_type, "laps": entry.laps, "trials": entry.trials,
                        "best_lap": entry.best_lap_s, "penalty": entry.penalty_s, "progress": entry.progress,
                        "leaderboard": entry.leaderboard, "date": entry.date, "run": entry.run,
                    }
                )  # fmt: skip
        named = [{"name": name, "rows": rows} for name, rows in boards.items()]
        return JSONResponse({"boards": named, "skipped": board.skipped})


def add_files(app: FastAPI, source: Runs) -> None:
    @app.api_route("/api/runs/{run}/files/{path:path}", methods=METHODS)
    def file(request: Request, run: str, path: str, download: str = "") -> Response:
        found = source.open(run, path)
        first, last, status = wanted_part(request.headers.get("range", ""), found.size)
        name = PurePosixPath(path).name
        headers = {
            "content-security-policy": FILES,
            "accept-ranges": "bytes",
            "content-length": str(last - first + 1),
            "content-type": names.content_type(path),
            "content-disposition": f"{'attachment' if download else 'inline'}; filename*=UTF-8''{quote(name)}",
        }
        if found.modified:
            headers["last-modified"] = formatdate(found.modified, usegmt=True)
        if status == 416:
            return Response(status_code=416, headers={"content-range": f"bytes */{found.size}"})
        if status == 206:
            headers["content-range"] = f"bytes {first}-{last}/{found.size}"
        if request.method == "HEAD" or last < first:
            return Response(status_code=status, headers=headers)
        return StreamingResponse(source.read(run, path, first, last), status, headers)


def add_pages(app: FastAPI) -> None:
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    for path in PAGES:
        app.add_api_route(path, page, methods=METHODS, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")

    @app.api_route("/healthz", methods=METHODS)
    def health() -> JSONResponse:
        return JSONResponse({"ok": True})


def pushed(events: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}  # a proxy hands them on at once
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def wanted_part(header: str, size: int) -> tuple[int, int, int]:
    """(first, last, status) of what a Range header asks for (RFC 9110, 14.2): one part, or all of it."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return 0, size - 1, 200
    first, last = match.groups()
    if first == "":
        begin, end = max(0, size - int(last)), size - 1
    else:
        begin, end = int(first), min(int(last), size - 1) if last else size - 1
    if begin >= size or begin > end:
        return 0, -1, 416
    return begin, end, 206


def explain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UserError)
    status = {NotFoundError: 404, AwayError: 503, CrowdedError: 503}.get(type(error), 500)
    return JSONResponse({"error": {"cause": error.cause, "remedy": error.remedy}}, status)
