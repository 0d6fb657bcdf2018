"""How long a run's stages wait for their engine: what is left of its time when no stage's program runs."""

from collections.abc import Iterable
from datetime import datetime

from kuberacer.run.remote.cluster import Json
from kuberacer.run.remote.pods import moment


def orchestration_gap(workflow: Json, stages: Iterable[Json], main: str = "main") -> float:
    """Seconds a stage: the workflow's time less that in which at least one stage's container ran, a stage.

    workflow: of Argo, ended; stages: the pods of its steps (of KFP's without its drivers). Kubernetes gives whole
    seconds. Raises ValueError when the workflow has not ended or no stage's container ran.
    """
    status = workflow.get("status") or {}
    if not status.get("finishedAt"):
        raise ValueError("the workflow has not ended")
    spans = sorted(span for pod in stages if (span := _span(pod, main)) is not None)
    if not spans:
        raise ValueError("no stage's container ran")
    wall = (moment(status["finishedAt"]) - moment(workflow["metadata"]["creationTimestamp"])).total_seconds()
    return (wall - covered(spans)) / len(spans)


def covered(spans: list[tuple[datetime, datetime]]) -> float:
    """Seconds in which at least one of the spans, sorted by their beginnings, lasts."""
    total, until = 0.0, None
    for first, last in spans:
        start = first if until is None or first > until else until
        if last > start:
            total += (last - start).total_seconds()
            until = last
        elif until is None:
            until = last
    return total


def _span(pod: Json, main: str) -> tuple[datetime, datetime] | None:
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated") or {}
        if container["name"] == main and ended.get("startedAt") and ended.get("finishedAt"):
            return moment(ended["startedAt"]), moment(ended["finishedAt"])
    return None
