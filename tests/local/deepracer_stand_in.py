"""Stands in for the DeepRacer simulator: its protocol over ZeroMQ, our own car behind it.

python deepracer_stand_in.py TRACK [PORT] [--clock STEPS_A_SECOND] [--actions METADATA.json] [--FAULT [N]]
prints its port, then answers until it is killed.
Protocol (package deepracer 0.1.4): the client says {"ready": 1} and is told the first state; from then on every
{"action": …} is answered by a state. An action after the end of an episode is not driven: it begins the next one.
Faults: evil (a pickled object), silent (from the Nth answer on none), garbage (from the Nth answer on no msgpack),
older (answers without episode_status), other (something else that speaks msgpack), endless (never a first step),
dies (ends before the Nth answer).
"""

import argparse
import os
import sys
import time
from pathlib import Path

import msgpack
import msgpack_numpy
import numpy as np
import zmq

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.sim.episode import STATUS_NAMES
from kuberacer.sim.params import params_dict
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import load_track

EVIL = {b"nd": True, b"type": b"O", b"kind": b"O", b"shape": (1,), b"data": b"cos\nsystem\n(S'touch unpickled'\ntR."}
FAULTS = ("silent", "garbage", "dies")
WHOLE_FAULTS = ("evil", "older", "other", "endless")


def state(sim: RaceSim) -> dict:
    sim.render()
    over = bool(sim.terminated[0] or sim.truncated[0])
    params = params_dict(sim.values, 0)
    params["steps"] += 1  # the simulator's first picture is that of step 1
    grey = np.repeat(sim.frames[0, 0][..., None], 3, axis=-1)
    status = {name: over and sim.status_name(0) == name for name in STATUS_NAMES}
    return {
        "_next_state": {"FRONT_FACING_CAMERA": grey},
        "_game_over": over,
        "_goal": None,
        "info": {"reward_params": params, "episode_status": status},
    }


def answer(sim: RaceSim, options: argparse.Namespace, number: int) -> bytes | None:
    """The number-th answer, from 1; None: nothing is ever said again."""
    if options.dies == number:
        sys.stdout.flush()
        os._exit(1)
    if options.silent is not None and number >= options.silent:
        return None
    if options.garbage is not None and number >= options.garbage:
        return b"HTTP/1.1 400 Bad Request\r\n\r\n"
    said = state(sim)
    if options.evil:
        said = {"_next_state": EVIL}
    elif options.older:
        del said["info"]["episode_status"]
    elif options.other:
        said = {"pong": 1}
    elif options.endless:
        said["info"]["reward_params"]["steps"] += 7
        said["_game_over"] = False
    packed = msgpack.packb(said)
    assert isinstance(packed, bytes)
    return packed


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("track")
    parser.add_argument("port", nargs="?", type=int, default=0)
    parser.add_argument("--clock", type=float, default=0.0)
    parser.add_argument("--actions", type=Path)
    for fault in FAULTS:
        parser.add_argument(f"--{fault}", type=int)
    for fault in WHOLE_FAULTS:
        parser.add_argument(f"--{fault}", action="store_true")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    msgpack_numpy.patch()
    socket = zmq.Context().socket(zmq.REP)
    if options.port:
        socket.bind(f"tcp://127.0.0.1:{options.port}")
    port = options.port or socket.bind_to_random_port("tcp://127.0.0.1")
    print(port, flush=True)
    metadata = ModelMetadata.default("clipped_ppo")
    if options.actions:
        metadata = ModelMetadata.parse(options.actions.read_text())
    sim = RaceSim(load_track(options.track), 1)
    sim.reset()
    number = 0
    while True:
        message = msgpack.unpackb(socket.recv())
        if options.clock:
            time.sleep(1.0 / options.clock)
        if "action" in message:
            if sim.terminated[0] or sim.truncated[0]:
                sim.reset()
            else:
                sim.advance(*metadata.decode(np.array([message["action"]])))
        number += 1
        said = answer(sim, options, number)
        if said is None:
            time.sleep(3600)
        socket.send(said)


if __name__ == "__main__":
    main()
