"""rl_coach's TensorFlow graph, built from a graph manager: its networks, losses and optimizers, and a session."""

import contextlib
import io
import tempfile
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rl_coach.architectures.tensorflow_components.general_network import GeneralTensorFlowNetwork
from rl_coach.base_parameters import TaskParameters

from kuberacer.coach import spaces_env
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.sensors import Input
from kuberacer.coach.session import session_config
from kuberacer.coach.spaces import Spaces
from kuberacer.errors import UserError


@dataclass
class CoachGraph:
    """`agent` is rl_coach's agent; its networks live in `graph`, their variables in `session`."""

    graph: Any
    session: Any
    agent: Any
    precision: str
    names: tuple[str, ...]  # of the observation's arrays

    @property
    def parameters(self) -> Any:
        """rl_coach's AgentParameters."""
        return self.agent.ap

    def network(self, name: str) -> Any:
        return self.agent.networks[name].online_network

    def inputs(self, network: Any) -> list[Any]:
        """A network's placeholders of an observation: the camera's (batch, 120, 160, channels) uint8, the lidar's."""
        return [getattr(network.inputs[name], "uint8", network.inputs[name]) for name in self.names]

    def set_training(self, training: bool) -> None:
        """Batch normalisation and dropout act as in training, or as in driving."""
        for network in self.agent.networks.values():
            network.set_is_training(training)

    @cached_property
    def saved_variables(self) -> list[Any]:
        """What a checkpoint holds: weights and optimizer state. PPO's target network is a copy made when training."""
        with self.graph.as_default():
            variables = tf.global_variables()
        keep_targets = type(self.agent).__name__ != "ClippedPPOAgent"
        return [variable for variable in variables if keep_targets or "/target/" not in variable.name]

    @cached_property
    def saver(self) -> Any:
        with self.graph.as_default():
            return tf.train.Saver(self.saved_variables, max_to_keep=None)

    @cached_property
    def graph_def(self) -> Any:
        assert self.saver  # its operations belong to the graph
        return self.graph.as_graph_def()

    @cached_property
    def meta_graph(self) -> bytes:
        """The graph as a checkpoint's .meta file holds it; it does not change while training."""
        with self.graph.as_default():
            meta = tf.train.export_meta_graph(graph_def=self.graph_def, saver_def=self.saver.saver_def)
        return meta.SerializeToString()

    @cached_property
    def finite(self) -> Any:
        """Whether every weight and all of the optimizer's state is a finite number: a tensor."""
        assert self.graph_def  # what a checkpoint holds of the graph is known before this is added to it
        with self.graph.as_default(), tf.name_scope("kuberacer_finite"):
            numbers = [variable for variable in self.saved_variables if variable.dtype.is_floating]
            return tf.reduce_all([tf.reduce_all(tf.math.is_finite(variable)) for variable in numbers])

    def close(self) -> None:
        self.session.close()


def build_graph(
    graph_manager: Any,
    metadata: Spaces,
    *,
    inputs: tuple[Input, ...],
    seed: int | None,
    threads: int,
    precision: str,
) -> CoachGraph:
    """Create the graph manager's graph for an environment whose observations are `inputs`.

    Raises UserError when rl_coach cannot build it.
    """
    graph_manager.env_params.level = spaces_env.DEEPRACER_NAME
    spaces_env.register(metadata, inputs)
    # A class attribute of rl_coach remembers variable scopes by name, across graphs.
    GeneralTensorFlowNetwork.variable_scopes_dict.clear()

    def create_session(task_parameters: Any) -> None:
        """rl_coach's own has one thread and no bf16, and adds an assignment of every variable, to restore by. It also
        initialises all variables anew for each network, by an operation of its own: here once."""
        session = tf.Session(config=session_config(threads, precision))
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        for wrapper in graph_manager.level_managers[0].agents["agent"].networks.values():
            for network in (wrapper.online_network, wrapper.target_network):
                if network is not None:
                    network.init_op = []
        graph_manager.set_session(session)

    graph_manager.create_session = create_session
    graph = tf.Graph()
    said = io.StringIO()
    with graph.as_default(), tempfile.TemporaryDirectory() as folder:
        try:
            with contextlib.redirect_stdout(said):
                graph_manager.create_graph(TaskParameters(experiment_path=folder, seed=seed))
        except Exception as error:
            raise UserError(
                f"rl_coach cannot build the preset's graph: {type(error).__name__}: {str(error).splitlines()[0]}",
                "look at the preset's networks, filters and parameters",
            ) from error
    agent = graph_manager.level_managers[0].agents["agent"]
    return CoachGraph(graph, graph_manager.sess, agent, precision, tuple(given.name for given in inputs))
