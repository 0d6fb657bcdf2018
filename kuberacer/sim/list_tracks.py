"""Our own tracks as JSON, with a picture of each: `python -m kuberacer.sim.list_tracks --pictures out/tracks`."""

import argparse
import json
from pathlib import Path

from PIL import Image

from kuberacer.errors import run_main
from kuberacer.sim.picture import TopView
from kuberacer.sim.track import load_track, own_tracks
from kuberacer.sim.tracks_drawn import DRAWINGS


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Describe our own tracks: a JSON list of {name, kind, length_m, width_m, closed, center}.",
        epilog="Example: python -m kuberacer.sim.list_tracks --pictures out/tracks",
    )
    parser.add_argument("--pictures", type=Path, required=True, help="folder for <name>.png")
    pictures = parser.parse_args().pictures
    pictures.mkdir(parents=True, exist_ok=True)
    described = []
    for name in own_tracks():
        track = load_track(name)
        Image.fromarray(TopView(track, 640, 480).frame()).save(pictures / f"{name}.png")
        described.append(
            {
                "name": name,
                "kind": DRAWINGS[name].kind,
                "length_m": round(track.length, 2),
                "width_m": round(track.width, 2),
                "closed": track.closed,
                "center": track.center.round(2).tolist(),
            }
        )
    print(json.dumps(described))


if __name__ == "__main__":
    run_main(main)
