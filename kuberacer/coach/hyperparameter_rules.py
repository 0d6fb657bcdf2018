"""Which hyperparameters each algorithm has, with default and range: DeepRacer's own and KubeRacer's additions."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """One hyperparameter: a number of `kind` within `low`..`high`, or one of `choices`. default None: see `meaning`."""

    kind: type
    default: Any
    meaning: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()

    def range_text(self) -> str:
        if self.choices:
            return ", ".join(self.choices)
        return f"{'a whole number' if self.kind is int else 'a number'} from {self.low:g} to {self.high:g}"


# DeepRacer's tools write all of these into one file, whatever the algorithm.
DEEPRACER_KEYS = frozenset(
    {
        "batch_size",
        "beta_entropy",
        "discount_factor",
        "e_greedy_value",
        "epsilon_steps",
        "exploration_type",
        "loss_type",
        "lr",
        "num_episodes_between_training",
        "num_epochs",
        "stack_size",
        "term_cond_avg_score",
        "term_cond_max_episodes",
        "sac_alpha",
    }
)


def _common(discount: float, batch_size: int, lr: float, loss_type: str | None) -> dict[str, Rule]:
    """loss_type None: the algorithm has a loss of its own."""
    losses = ("mean squared error", "huber")
    rules = {
        "batch_size": Rule(int, batch_size, "samples of one gradient step", 32, 512),
        "lr": Rule(float, lr, "learning rate (Adam)", 1e-8, 1e-3),
        "discount_factor": Rule(float, discount, "weight of the next step's return", 0, 1),
        "stack_size": Rule(int, 1, "camera frames that the network sees at once", 1, 4),
        "num_episodes_between_training": Rule(
            int, None, "finished episodes of one iteration; not given: rollout_steps decides", 1, 100
        ),
        "term_cond_max_episodes": Rule(int, 100000, "training ends after this many episodes", 1, 10**9),
        "term_cond_avg_score": Rule(float, 100000.0, "training ends at this mean return per episode", -1e9, 1e9),
        "precision": Rule(
            str, "auto", "auto: bf16 where the processor computes it, else fp32", choices=("auto", "fp32", "bf16")
        ),
    }
    if loss_type is not None:
        rules["loss_type"] = Rule(str, loss_type, "loss of the value network", choices=losses)
    return rules


_E_GREEDY = {
    "e_greedy_value": Rule(float, 0.05, "share of random actions at the end of the schedule (e-greedy)", 0, 1),
    "epsilon_steps": Rule(int, 10000, "steps from all random actions to e_greedy_value (e-greedy)", 1, 10**8),
}


def _replay(rollout_steps: int, updates: int, heatup: int) -> dict[str, Rule]:
    return {
        "rollout_steps": Rule(int, rollout_steps, "steps of one iteration, over all cars", 32, 16384),
        "replay_size": Rule(int, 40000, "frames kept for replay, 19.2 kB each", 1000, 1_000_000),
        "updates_per_iteration": Rule(int, updates, "gradient steps of one iteration", 1, 10000),
        "heatup_steps": Rule(int, heatup, "random steps before learning begins", 0, 1_000_000),
    }


_RETURNS = {
    "v_min": Rule(float, 0.0, "smallest return that the distribution can say", -1e6, 1e6),
    "v_max": Rule(float, 40.0, "largest return that the distribution can say", -1e6, 1e6),
}


def _values(loss_type: str | None) -> dict[str, Rule]:
    return {
        **_common(discount=0.97, batch_size=64, lr=3e-4, loss_type=loss_type),
        **_E_GREEDY,
        **_replay(rollout_steps=512, updates=128, heatup=1024),
        "exploration_type": Rule(str, "e-greedy", "random actions at a falling rate", choices=("e-greedy",)),
        "target_update_steps": Rule(int, 2048, "steps between copies to the target network", 1, 1_000_000),
    }


def _actor(loss_type: str | None) -> dict[str, Rule]:
    return {
        **_common(discount=0.9, batch_size=64, lr=5e-4, loss_type=loss_type),
        **_replay(rollout_steps=512, updates=128, heatup=1024),
        "exploration_type": Rule(str, "additive_noise", "noise added to the action", choices=("additive_noise",)),
        "action_noise": Rule(float, 0.1, "its deviation; actions are within -1..1", 0, 1),
        "target_rate": Rule(float, 0.02, "share of the online weights in each target network update", 1e-5, 1),
    }


RULES: dict[str, dict[str, Rule]] = {
    "clipped_ppo": {
        **_common(discount=0.97, batch_size=256, lr=5e-4, loss_type="mean squared error"),
        **_E_GREEDY,
        "num_epochs": Rule(int, 2, "passes over the samples of one iteration (DeepRacer: 3 to 10)", 1, 10),
        "beta_entropy": Rule(float, 0.01, "weight of the policy's entropy in the loss", 0, 1),
        "exploration_type": Rule(
            str,
            None,
            "not given: the policy's own distribution (categorical or additive_noise by the action space)",
            choices=("categorical", "e-greedy", "additive_noise"),
        ),
        "rollout_steps": Rule(int, 2048, "steps of one iteration, over all cars", 32, 16384),
        "gae_lambda": Rule(float, 0.95, "weight of longer returns in the advantage", 0, 1),
        "clip_epsilon": Rule(float, 0.2, "largest change of an action's likelihood ratio", 0.01, 1),
    },
    "sac": {
        **_common(discount=0.9, batch_size=64, lr=5e-4, loss_type="mean squared error"),
        **_replay(rollout_steps=512, updates=128, heatup=1024),
        "exploration_type": Rule(str, "additive_noise", "SAC draws from its own policy", choices=("additive_noise",)),
        "sac_alpha": Rule(float, 0.2, "weight of the policy's entropy against the reward", 1e-4, 1),
        "target_rate": Rule(float, 0.02, "share of the online weights in each target network update", 1e-5, 1),
    },
    "dqn": _values("huber"),
    "ddqn": _values("huber"),
    "categorical_dqn": {**_values(None), **_RETURNS},
    "qr_dqn": _values(None),
    "rainbow": {
        **{key: rule for key, rule in _values(None).items() if key not in (*_E_GREEDY, "exploration_type")},
        **_RETURNS,
        "n_step": Rule(int, 3, "rewards that are summed before the target network's value counts", 1, 20),
    },
    "ddpg": _actor("mean squared error"),
    "td3": _actor(None),
}
