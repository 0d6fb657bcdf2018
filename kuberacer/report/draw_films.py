"""Draws films in a process of its own, at the lowest priority: python -m kuberacer.report.draw_films

A line comes in for each recording, JSON: {"recording": its file, "videos": {view: file}}. A line goes out when its
videos are there: {} or {"error": what went wrong}. The recording's file is removed. Ends with its input.
"""

import json
import os
import sys
from pathlib import Path

LOWEST = 19


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
            film_views(Recording.load(recording), {view: Path(path) for view, path in job["videos"].items()})
        except Exception as error:  # whatever it is: the training goes on without this video, and says why
            answer["error"] = f"{type(error).__name__}: {error}"
        recording.unlink(missing_ok=True)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
