"""Draws films in a process of its own, at the lowest priority: python -m kuberacer.report.draw_films

A line comes in for each recording, JSON: {"recording": its file, "videos": {view: file}, "hurry": file}. A line goes
out when its videos are there: {} or {"error": what went wrong}. The recording's file is removed. Ends with its input.
"""

import json
import os
import sys
import time
from pathlib import Path

LOWEST = 19
SHARE = 0.05  # of the time that it draws: even at the lowest priority it slows who shares its processor core down


class Pace:
    """Waits after each step so that SHARE of the time goes into drawing; not once the file `hurry` is there."""

    def __init__(self, hurry: Path):
        self.hurry, self.since = hurry, time.monotonic()

    def __call__(self) -> None:
        if not self.hurry.exists():
            time.sleep((time.monotonic() - self.since) * (1 / SHARE - 1))
        self.since = time.monotonic()


def main() -> None:
    os.nice(LOWEST)
    # At the lowest priority already: loading takes longer than many a film.
    from kuberacer.report.film import film_views
    from kuberacer.report.recording import Recording

    for line in sys.stdin:
        job = json.loads(line)
        recording = Path(job["recording"])
        answer: dict[str, str] = {}
        try:
            videos = {view: Path(path) for view, path in job["videos"].items()}
            film_views(Recording.load(recording), videos, after_step=Pace(Path(job["hurry"])))
        except Exception as error:  # whatever it is: the training goes on without this video, and says why
            answer["error"] = f"{type(error).__name__}: {error}"
        recording.unlink(missing_ok=True)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
