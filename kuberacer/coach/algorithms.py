"""Which of rl_coach's agents can be trained, and what follows from each; importable without TensorFlow.

Everything that depends on the algorithm asks this table: the actions it takes, how it explores, which network drives,
and where the car looks for the frozen graph's output.
"""

from dataclasses import dataclass

AGENT = "main_level/agent"


@dataclass(frozen=True)
class Algorithm:
    """One agent. path: rl_coach's. discrete, continuous: how it may explore there, () where it has no such actions.

    network: of rl_coach's agent, the one that drives. output: the frozen graph's output node. car: the algorithm under
    whose names the car takes the graph; it knows clipped_ppo and sac.
    """

    path: str
    network: str
    output: str
    car: str
    discrete: tuple[str, ...] = ()
    continuous: tuple[str, ...] = ()

    @property
    def exploration(self) -> dict[bool, tuple[str, ...]]:
        """By whether the actions are continuous."""
        return {False: self.discrete, True: self.continuous}


def _values(path: str, head: str) -> Algorithm:
    """A value for each action: the car takes them as a policy, whose order is the same."""
    output = f"{AGENT}/main/online/network_0/{head}"
    return Algorithm(f"rl_coach.agents.{path}", "main", output, "clipped_ppo", discrete=("e-greedy", "noisy layers"))


def _actor(path: str) -> Algorithm:
    """An actor that gives the action itself."""
    output = f"{AGENT}/actor/online/network_0/ddpg_actor_head_0/output_mean"
    return Algorithm(f"rl_coach.agents.{path}", "actor", output, "sac", continuous=("additive noise",))


ALGORITHMS: dict[str, Algorithm] = {
    "clipped_ppo": Algorithm(
        "rl_coach.agents.clipped_ppo_agent:ClippedPPOAgent",
        "main",
        f"{AGENT}/main/online/network_1/ppo_head_0/policy",
        "clipped_ppo",
        discrete=("categorical", "e-greedy"),
        continuous=("additive noise",),
    ),
    "sac": Algorithm(
        "rl_coach.agents.soft_actor_critic_agent:SoftActorCriticAgent",
        "policy",
        f"{AGENT}/policy/online/network_0/sac_policy_head_0/policy",
        "sac",
        continuous=("additive noise",),
    ),
    "dqn": _values("dqn_agent:DQNAgent", "q_values_head_0/q_values_head_0_target"),
    "ddqn": _values("ddqn_agent:DDQNAgent", "q_values_head_0/q_values_head_0_target"),
    "categorical_dqn": _values("categorical_dqn_agent:CategoricalDQNAgent", "categorical_dqn_head_0/q_values"),
    "qr_dqn": _values("qr_dqn_agent:QuantileRegressionDQNAgent", "quantile_regression_dqn_head_0/q_values"),
    "rainbow": _values("rainbow_dqn_agent:RainbowDQNAgent", "rainbow_q_values_head_0/q_values"),
    "ddpg": _actor("ddpg_agent:DDPGAgent"),
    "td3": _actor("td3_agent:TD3Agent"),
}
WITHOUT_PRESET = ("clipped_ppo", "sac", "dqn")  # whose networks the hyperparameters describe; others come by preset


def taking(continuous: bool) -> str:
    """The algorithms that take such actions, for a message."""
    return ", ".join(name for name, algorithm in ALGORITHMS.items() if algorithm.exploration[continuous])
