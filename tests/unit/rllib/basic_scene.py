"""An executable that plays Unity's Basic scene, for tests: what ML-Agents' C# side does, over the same gRPC service.

A line of 20 places: the agent starts at 10, the small goal (+0.1) is at 7 and the large one (+1) at 17, a step costs
0.01, an episode ends at a goal or after 500 steps. Actions: 0 stay, 1 left, 2 right. Faults are switched on by the
launcher: see `main`.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import grpc
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import ActionSpecProto, BrainParametersProto
from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.communicator_objects.command_pb2 import RESET, STEP
from mlagents_envs.communicator_objects.header_pb2 import HeaderProto
from mlagents_envs.communicator_objects.observation_pb2 import NONE, ObservationProto
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.communicator_objects.unity_output_pb2 import UnityOutputProto
from mlagents_envs.communicator_objects.unity_rl_initialization_output_pb2 import UnityRLInitializationOutputProto
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_envs.communicator_objects.unity_to_external_pb2_grpc import UnityToExternalProtoStub

PLACES, START, SMALL, LARGE, PATIENCE = 20, 10, 7, 17, 500
MOVES = {0: 0, 1: -1, 2: 1}


class Line:
    """The scene's only agent, and how its episodes go. A new id an episode, as Unity gives them."""

    def __init__(self) -> None:
        self.id = 0
        self.begin()

    def begin(self) -> None:
        self.id, self.place, self.steps = self.id + 1, START, 0

    def seen(self, reward: float = 0.0, done: bool = False, given_up: bool = False) -> AgentInfoProto:
        one_hot = [float(place == self.place) for place in range(PLACES)]
        observation = ObservationProto(
            shape=[PLACES], compression_type=NONE, dimension_properties=[1], name="position",
            float_data=ObservationProto.FloatData(data=one_hot),
        )  # fmt: skip
        return AgentInfoProto(
            id=self.id, reward=reward, done=done, max_step_reached=given_up, observations=[observation]
        )

    def move(self, action: int) -> list[AgentInfoProto]:
        """What Unity tells after a step; of an episode that ended its end, and the beginning of the next one."""
        self.place = max(0, min(PLACES - 1, self.place + MOVES[action]))
        self.steps += 1
        reward = -0.01 + {SMALL: 0.1, LARGE: 1.0}.get(self.place, 0.0)
        reached = self.place in (SMALL, LARGE)
        given_up = not reached and self.steps >= PATIENCE
        if not reached and not given_up:
            return [self.seen(reward)]
        end = self.seen(reward, done=True, given_up=given_up)
        self.begin()
        return [end, self.seen()]


class Player:
    """One connection: the scene's answers to what Python asks for."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.lines = [Line() for _ in range(options.agents)]
        self.names = ["Basic?team=0", "Other?team=0"][: options.behaviours]
        self.steps = 0
        channel = grpc.insecure_channel(f"localhost:{options.mlagents_port}")
        grpc.channel_ready_future(channel).result(timeout=60)
        self.exchange = UnityToExternalProtoStub(channel).Exchange

    def play(self) -> None:
        hello = UnityOutputProto(rl_output=UnityRLOutputProto(), rl_initialization_output=self.about([]))
        self.exchange(told(hello))
        asked = self.exchange(told(None))
        introduced = False
        while asked.header.status == 200:
            output = self.answer(asked.unity_input.rl_input)
            if output is None:
                return
            if not introduced:
                actions = ActionSpecProto(num_discrete_actions=1, discrete_branch_sizes=[len(MOVES)])
                brains = [BrainParametersProto(brain_name=name, action_spec=actions) for name in self.names]
                output.rl_initialization_output.CopyFrom(self.about(brains))
                introduced = True
            asked = self.exchange(told(output))

    def about(self, brains: list[BrainParametersProto]) -> UnityRLInitializationOutputProto:
        able = UnityRLCapabilitiesProto(baseRLCapabilities=True, hybridActions=True, variableLengthObservation=True)
        return UnityRLInitializationOutputProto(
            name="Basic", package_version="3.0.0", communication_version=self.options.protocol, capabilities=able,
            brain_parameters=brains,
        )  # fmt: skip

    def answer(self, asked) -> UnityOutputProto | None:
        """None: Python wants the player to end."""
        if asked.command == RESET:
            for line in self.lines:
                line.begin()
            infos = [line.seen() for line in self.lines]
        elif asked.command == STEP:
            self.steps += 1
            misbehave(self.options, self.steps)
            moves = asked.agent_actions[self.names[0]].value
            infos = [
                info
                for line, move in zip(self.lines, moves, strict=False)
                for info in line.move(move.discrete_actions[0])
            ]
        else:
            return None
        listed = UnityRLOutputProto.ListAgentInfoProto(value=infos)
        return UnityOutputProto(rl_output=UnityRLOutputProto(agentInfos=dict.fromkeys(self.names, listed)))


def told(output: UnityOutputProto | None) -> UnityMessageProto:
    return UnityMessageProto(header=HeaderProto(status=200), unity_output=output)


def misbehave(options: argparse.Namespace, steps: int) -> None:
    """steps: 0 at the start."""
    if options.at != steps or (options.once and not first_time(options.once)):
        return
    if options.fault == "dies":
        print("Caught fatal signal - signo:11 code:1 errno:0", flush=True)
        os._exit(3)
    if options.fault == "hangs":
        time.sleep(3600)


def first_time(mark: Path) -> bool:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mlagents-port", type=int, required=True)
    parser.add_argument("-logFile", "--log", type=Path)
    parser.add_argument("--fault", choices=("dies", "hangs"))
    parser.add_argument("--at", type=int, default=0, help="the step of the fault")
    parser.add_argument("--once", type=Path, help="a file that is not there yet: only the first player has the fault")
    parser.add_argument("--protocol", default="1.5.0")
    parser.add_argument("--agents", type=int, default=1)
    parser.add_argument("--behaviours", type=int, default=1)
    options, _ = parser.parse_known_args()
    if options.log:
        options.log.parent.mkdir(parents=True, exist_ok=True)
        sys.stdout = options.log.open("a", encoding="utf-8")
    print("Mono path[0] = 'Basic_Data/Managed'", flush=True)
    misbehave(options, 0)
    try:
        Player(options).play()
    except grpc.RpcError as error:
        if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN):
            raise


if __name__ == "__main__":
    main()
