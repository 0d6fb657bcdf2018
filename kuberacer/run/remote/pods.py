"""What a pod's conditions and events say to a person: why it does not start, how it died."""

import re
from collections.abc import Iterable
from datetime import datetime

from kubernetes.utils.quantity import parse_quantity

from kuberacer.run.remote.cluster import Json
from kuberacer.took import PodTime

# Why a container waits. The remedy is what helps most often; the cause comes with the cluster's own words.
_WAITING = {
    "ErrImagePull": "see that the image's name is right and the nodes may pull it (KUBERACER_IMAGES, imagePullSecrets)",
    "ImagePullBackOff": "see that the image's name is right and the nodes may pull it (KUBERACER_IMAGES, pull secrets)",
    "ErrImageNeverPull": "load the image into the nodes, or let them pull it",
    "InvalidImageName": "correct the image's name (KUBERACER_IMAGES, KUBERACER_IMAGE_RACE)",
    "CreateContainerConfigError": "make the secret or config map that is missing (make deploy)",
    "CreateContainerError": "see the message, and the node's container runtime",
    "RunContainerError": "see the message: the image's program may be missing or not be executable",
    "CrashLoopBackOff": "see the log of its last attempt (kubectl logs --previous)",
}
_TROUBLE = {"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "NetworkNotReady"}
_AFTERTHOUGHT = re.compile(r"\. (no new claims|preemption:).*$")  # what else the scheduler thought of
UNSCHEDULABLE = (
    "add a node that has what is missing, ask for less, or let the pod tolerate the nodes' taints "
    "(`kubectl describe nodes` shows what they have)"
)
GATED = "see the queue: `kubectl get workloads,localqueues`"
QUOTA = "raise the namespace's quota (`kubectl describe resourcequota`), or wait until other runs end"
START = "see `kubectl describe pod` and its node"


def why_waiting(pod: Json, events: Iterable[Json] = ()) -> tuple[str, str] | None:
    """(reason, remedy) of a pod that has not started; None when it is on its way.

    events: those of this pod, oldest first.
    """
    status = pod.get("status") or {}
    if status.get("phase") not in (None, "Pending") and not _main_waits(status):
        return None
    if pod.get("spec", {}).get("schedulingGates"):
        gates = ", ".join(gate["name"] for gate in pod["spec"]["schedulingGates"])
        return f"it is held back by {gates}", GATED
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            words = _line(condition.get("message") or condition.get("reason") or "no node takes it")
            return _AFTERTHOUGHT.sub(".", words), UNSCHEDULABLE
    for container in _containers(status):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _WAITING:
            message = _line(waiting.get("message") or f"image {container.get('image')}")
            return f"{waiting['reason']}: {message}", _WAITING[waiting["reason"]]
    trouble = [event for event in events if event.get("reason") in _TROUBLE and event.get("type") == "Warning"]
    if trouble:
        return _line(f"{trouble[-1]['reason']}: {trouble[-1].get('message', '')}"), START
    return None


def hopeless(pod: Json) -> bool:
    """Whether a waiting pod can never start as it is."""
    waiting = [(c.get("state") or {}).get("waiting") or {} for c in _containers(pod.get("status") or {})]
    return any(each.get("reason") in ("InvalidImageName", "ErrImageNeverPull") for each in waiting)


def why_died(pod: Json, main: str = "main") -> tuple[str, str] | None:
    """(cause, remedy) when the cluster ended the pod, or None when its program ended by itself."""
    status = pod.get("status") or {}
    for container in _containers(status):
        for state in ("state", "lastState"):
            ended = (container.get(state) or {}).get("terminated") or {}
            if ended.get("reason") == "OOMKilled":
                limit = _limit(pod, container.get("name", main))
                return (
                    f"was killed because it used more memory than its limit{limit} (OOMKilled)",
                    "give it more memory",
                )
    for condition in status.get("conditions") or []:
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            words = _line(condition.get("message") or condition.get("reason", ""))
            return f"was evicted: {words}", "go on with the run: training continues from its last checkpoint"
    if status.get("reason"):
        words = _line(status.get("message") or "")
        return (
            f"was ended by the cluster ({status['reason']}): {words}".rstrip(": "),
            "go on with the run: training continues from its last checkpoint",
        )
    return None


def exit_status(pod: Json, main: str = "main") -> int | None:
    """Of the container that runs the step's program; None while it runs."""
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        if container["name"] == main:
            ended = (container.get("state") or {}).get("terminated")
            return None if ended is None else int(ended["exitCode"])
    return None


def container_started(pod: Json, main: str = "main") -> bool:
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        if container["name"] == main:
            state = container.get("state") or {}
            return "running" in state or "terminated" in state
    return False


def time_of(pod: Json, now: float) -> PodTime | None:
    """What a pod asked for and how long it had it, until `now` (seconds since the epoch) while it is there.

    None before a node has taken it.
    """
    status = pod.get("status") or {}
    if not status.get("startTime"):
        return None
    ends = [((c.get("state") or {}).get("terminated") or {}).get("finishedAt") for c in _containers(status)]
    over = status.get("phase") in ("Succeeded", "Failed")
    ended = max((moment(end).timestamp() for end in ends if end), default=now) if over else now
    asked = requests_of(pod.get("spec") or {})
    gpus = {name: count for name, count in asked.items() if is_device(name) and count}
    return PodTime(
        uid=pod["metadata"]["uid"],
        began=moment(status["startTime"]).timestamp(),
        ended=ended,
        cores=asked.get("cpu", 0.0),
        memory_bytes=asked.get("memory", 0.0),
        gpus=int(sum(gpus.values())),
        gpu=next(iter(gpus), ""),
    )


def requests_of(spec: Json) -> dict[str, float]:
    """What a node keeps free for a pod: of its containers together, or of an init container that asks for more.

    A container that names a limit only asks for as much.
    """
    total: dict[str, float] = {}
    for kind, put in (("containers", float.__add__), ("initContainers", max)):
        for container in spec.get(kind) or []:
            given = container.get("resources") or {}
            for name, quantity in {**(given.get("limits") or {}), **(given.get("requests") or {})}.items():
                total[name] = put(total.get(name, 0.0), float(parse_quantity(quantity)))
    return total


def is_device(resource: str) -> bool:
    """An extended resource, which is a GPU for all that runs here (`nvidia.com/gpu`, `nvidia.com/mig-1g.10gb`)."""
    return "/" in resource and not resource.split("/")[0].endswith("kubernetes.io")


def seconds(first: str | None, last: str | None) -> float:
    """Between two times as Kubernetes writes them; 0 where one is not known."""
    if not first or not last:
        return 0.0
    return (moment(last) - moment(first)).total_seconds()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _main_waits(status: Json) -> bool:
    return any((c.get("state") or {}).get("waiting") for c in status.get("containerStatuses") or [])


def _containers(status: Json) -> list[Json]:
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _limit(pod: Json, container: str) -> str:
    for each in pod.get("spec", {}).get("containers") or []:
        limit = ((each.get("resources") or {}).get("limits") or {}).get("memory")
        if each["name"] == container and limit:
            return f" of {limit}"
    return ""


def _line(text: str) -> str:
    return " ".join(text.split())[:400]
