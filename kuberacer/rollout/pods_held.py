"""What the pods of rollout workers were given: what they asked for, from their start until they were seen last."""

from collections.abc import Iterable
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from kuberacer.usage import Held


class PodsHeld:
    """Of one training. Pods are kubernetes.client's objects."""

    def __init__(self) -> None:
        self._of: dict[str, Held] = {}  # by the pod's uid; one that is gone keeps what it had

    def look(self, pods: Iterable[Any], now: float) -> None:
        """now: seconds since the epoch."""
        for pod in pods:
            if pod.status.start_time is None:
                continue
            asked = requests_of(pod)
            gpus = {name: count for name, count in asked.items() if "/" in name}
            ended = _ended(pod) or now
            self._of[pod.metadata.uid] = Held.of(
                ended - pod.status.start_time.timestamp(), asked.get("cpu", 0.0), asked.get("memory", 0.0), gpus
            )

    def total(self) -> Held:
        total = Held()
        for each in self._of.values():
            total += each
        return total


def requests_of(pod: Any) -> dict[str, float]:
    """Of its containers together; a limit alone is a request, too."""
    total: dict[str, float] = {}
    for container in pod.spec.containers:
        given = container.resources
        for name, quantity in {**(given.limits or {}), **(given.requests or {})}.items() if given else ():
            total[name] = total.get(name, 0.0) + float(parse_quantity(quantity))
    return total


def _ended(pod: Any) -> float | None:
    """None while it runs."""
    if pod.status.phase not in ("Succeeded", "Failed"):
        return None
    ended = [status.state.terminated for status in pod.status.container_statuses or []]
    return max((each.finished_at.timestamp() for each in ended if each and each.finished_at), default=None)
