"""Ways to hurt a run on a cluster, and what is left of it there."""

import json
import os
import signal
from pathlib import Path

from deployment import kubectl

KILL = """
import os, sys
for entry in os.listdir("/proc"):
    if entry.isdigit() and int(entry) != os.getpid():
        try:
            line = open(f"/proc/{entry}/cmdline", "rb").read()
        except OSError:
            continue
        if sys.argv[1].encode() in line and b"-c\\0" not in line:
            os.kill(int(entry), 9)
            print(entry)
"""


def pods(namespace: str, selector: str) -> list[dict]:
    return json.loads(kubectl("-n", namespace, "get", "pods", "-l", selector, "-o", "json"))["items"]


def trainer(namespace: str) -> str:
    """The name of the trainer's pod that runs now."""
    running = [
        pod["metadata"]["name"]
        for pod in pods(namespace, "workflows.argoproj.io/workflow")
        if "-train-" in pod["metadata"]["name"] and pod["status"]["phase"] == "Running"
    ]
    assert len(running) == 1, running
    return running[0]


def sigkill_process(namespace: str, pod: str, word: str) -> None:
    """SIGKILL in the pod's main container for the processes with a word in their command line."""
    killed = kubectl("-n", namespace, "exec", pod, "-c", "main", "--", "python", "-c", KILL, word)
    assert killed.split(), f"no process of {pod} has {word} in its command line"


def sigkill_pod(namespace: str, pod: str) -> None:
    kubectl("-n", namespace, "delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")


def evict(namespace: str, pod: str) -> None:
    """As a drain does it."""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    kubectl("create", "--raw", path, "-f", "-", text=json.dumps(eviction))


def sigkill_container(namespace: str, pod: str) -> bool:
    """SIGKILL for a container whose volumes stay. False where the node is another machine."""
    found = json.loads(kubectl("-n", namespace, "get", "pod", pod, "-o", "json"))
    container = found["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
    killed = False
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            ours = container in path.read_text()
            if ours:
                os.kill(int(path.parent.name), signal.SIGKILL)
        except OSError:
            continue
        killed |= ours
    return killed
