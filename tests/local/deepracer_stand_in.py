"""Stands in for the DeepRacer simulator: its protocol over ZeroMQ, our own car behind it.

python deepracer_stand_in.py TRACK [--evil]   prints its port, then answers until it is killed
Protocol (package deepracer 0.1.4): the client says {"ready": 1} and is told the first state; from then on every
{"action": …} is answered by a state. An action after the end of an episode is not driven: it begins the next one.
"""

import sys

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


def main() -> None:
    msgpack_numpy.patch()
    socket = zmq.Context().socket(zmq.REP)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    print(port, flush=True)
    metadata = ModelMetadata.default("clipped_ppo")
    sim = RaceSim(load_track(sys.argv[1]), 1)
    sim.reset()
    while True:
        message = msgpack.unpackb(socket.recv())
        if "--evil" in sys.argv:
            socket.send(msgpack.packb({"_next_state": EVIL}))
            continue
        if "action" in message:
            if sim.terminated[0] or sim.truncated[0]:
                sim.reset()
            else:
                sim.advance(*metadata.decode(np.array([message["action"]])))
        socket.send(msgpack.packb(state(sim)))


if __name__ == "__main__":
    main()
