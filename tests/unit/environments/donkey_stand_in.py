"""Stands in for a donkey simulator: gym-donkeycar's protocol over our own road, as a program, or as a thread of a test.

python donkey_stand_in.py --port N [-logFile F] [--clock FRAMES_A_SECOND] [--log FILE] [--FAULT [N]]
connects to 127.0.0.1:N, as Unity's does, and tells scenes, the car, and frames. With a clock it drives by that,
whatever is said; without one each message to the car is answered by one frame, so that two talks can be compared.
--log: writes what it was told, a line a message.
Faults: silent (never says a word), stuck (loads its scene for ever), mute (no frame from the Nth on), dies (at the Nth
frame), garbage (from the Nth frame on no telemetry), picture (from the Nth frame on images that are none), small
(frames of 80 × 60), comma (numbers as 1,5), stands (does not stay where a reset puts it), late (connects after N s).
"""

import argparse
import base64
import contextlib
import io
import json
import os
import re
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[3]))

from kuberacer.sim.donkey_world import DonkeyWorld

SCENES = ["generated_road", "warehouse", "sparkfun_avc", "generated_track"]
START = 11  # the seed of the place where its car starts
NEVER = 1 << 30
PULSE_S = 0.02


class Car:
    def __init__(self) -> None:
        self.world = DonkeyWorld(1)
        self.reset()

    def reset(self) -> None:
        self.world.restart()
        self.world.reset(np.ones(1, bool), [START])
        self.steering = self.throttle = 0.0

    def tick(self) -> None:
        self.world.advance(np.array([self.steering]), self.throttle)

    def telemetry(self, small: bool) -> dict:
        world, picture = self.world, io.BytesIO()
        image = Image.fromarray(np.ascontiguousarray(world.frames[0]))
        (image.resize((80, 60)) if small else image).save(picture, "JPEG", quality=90)
        return {
            "msg_type": "telemetry", "steering_angle": self.steering, "throttle": self.throttle,
            "speed": float(world.speed[0]), "image": base64.b64encode(picture.getvalue()).decode(),
            "hit": "none" if abs(world.cte[0]) < 20 else "tree", "pos_x": float(world.x[0]), "pos_y": 0.0,
            "pos_z": float(world.z[0]), "time": 0.0, "cte": float(world.cte[0]),
        }  # fmt: skip


class Talk:
    def __init__(self, options: argparse.Namespace):
        self.options, self.car, self.frames, self.buffer = options, Car(), 0, ""
        self.log = options.log.open("a") if options.log else None

    def run(self) -> None:
        """Until the environment, or a fault, ends the connection."""
        time.sleep(self.options.late)
        with connected(self.options.port) as self.socket, contextlib.suppress(EOFError, OSError):
            if not self.options.silent:
                self.say(msg_type="scene_selection_ready")
            self.talk()

    def talk(self) -> None:
        due, loaded = time.monotonic(), False
        while True:
            clock = self.options.clock if loaded else 0
            heard = self.hear(due - time.monotonic() if clock else PULSE_S)
            if not clock and not heard and not self.options.silent:
                self.socket.sendall(b"\n")  # wakes gym-donkeycar, which does not send while it waits to receive
            for message in heard:
                if self.log:
                    print(json.dumps(message, sort_keys=True), file=self.log, flush=True)
                loaded = self.obey(message) or loaded
            if clock and time.monotonic() >= due:
                due = time.monotonic() + 1 / clock
                self.car.tick()
                self.frame()

    def say(self, **message) -> None:
        text = json.dumps(message)
        if self.options.comma:
            text = re.sub(r"(-?\d+)\.(\d+)", r"\1,\2", text).replace(", ", ",").replace(": ", ":")
        self.socket.sendall(text.encode() + b"\n")

    def frame(self) -> None:
        options, self.frames = self.options, self.frames + 1
        if self.frames >= options.mute:
            return
        if self.frames >= options.dies:
            raise EOFError("the stand-in dies as it was asked to")
        if self.frames >= options.garbage:
            self.socket.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n{]\n")
            return
        told = self.car.telemetry(options.small)
        if self.frames >= options.picture:
            told["image"] = base64.b64encode(b"no picture at all").decode()
        self.say(**told)

    def hear(self, timeout_s: float) -> list[dict]:
        self.socket.settimeout(max(timeout_s, 1e-3))
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return []
        if not data:
            raise EOFError("the environment has left")
        self.buffer += data.decode()
        found, decoder = [], json.JSONDecoder()
        while self.buffer:
            try:
                message, end = decoder.raw_decode(self.buffer)
            except ValueError:
                break
            found.append(message)
            self.buffer = self.buffer[end:]
        return found

    def obey(self, message: dict) -> bool:
        """Whether the scene is loaded with it."""
        kind, options = message["msg_type"], self.options
        if kind == "get_scene_names":
            self.say(msg_type="scene_names", scene_names=SCENES)
        elif kind == "load_scene" and not options.stuck:
            self.say(msg_type="car_loaded")
            return True
        elif kind == "control":
            self.car.steering, self.car.throttle = float(message["steering"]), float(message["throttle"])
            if options.stands and self.car.throttle == 0:
                self.car.throttle = 0.1
            if not options.clock:
                self.car.tick()
                self.frame()
        elif kind == "reset_car":
            self.car.reset()
            if not options.clock:
                self.frame()
        return False


def connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def options_of(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("-logFile")
    parser.add_argument("-nographics", action="store_true")
    parser.add_argument("-batchmode", action="store_true")
    parser.add_argument("--clock", type=float, default=0.0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--late", type=float, default=0.0)
    for fault in ("mute", "dies", "garbage", "picture"):
        parser.add_argument(f"--{fault}", type=int, default=NEVER)
    for fault in ("silent", "stuck", "small", "comma", "stands"):
        parser.add_argument(f"--{fault}", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    talk = Talk(options_of(sys.argv[1:]))
    talk.run()
    if talk.frames >= talk.options.dies:
        print("the stand-in dies as it was asked to", file=sys.stderr, flush=True)
        os._exit(3)
