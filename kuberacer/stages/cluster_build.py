"""Has the cluster build the simulation's image: a Job in the build namespace, started and watched through Kubernetes.

The context travels through the object store, by an address that is good for an hour and for that one object, so that
the build has no credentials of the store. The Job is named by what it builds: two runs with the same content share it.
"""

import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client import ApiException

from kuberacer import __version__
from kuberacer.errors import UserError
from kuberacer.rollout.cluster_workers import label
from kuberacer.settings import StoreSettings
from kuberacer.stages.registry import Registry
from kuberacer.store.client import ObjectStore

BUILD_S, TTL_S, ADDRESS_S = 1800, 600, 3600
ASK_S, REPEAT_S = 1.0, 30.0
ACCOUNT, CREDENTIALS = "kuberacer-build", "kuberacer-registry"
# What Pod Security's baseline allows a build: to write layers whose files have any owner and any mode.
CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP", "SETGID", "SETUID", "SYS_CHROOT"]


@dataclass(frozen=True)
class ClusterBuild:
    """registry: as the user names it. base: the image to begin with. builder: the image that builds."""

    registry: str
    base: str
    builder: str
    namespace: str
    seconds: float = BUILD_S

    @classmethod
    def of_environment(cls, registry: str) -> "ClusterBuild":
        """registry: the pipeline's parameter. Raises UserError when it is none's name."""
        Registry.parse(registry)
        base = os.environ.get("KUBERACER_IMAGE_ROLLOUT", f"kuberacer/rollout:{__version__}")
        builder = os.environ.get("KUBERACER_IMAGE_BUILDER", f"kuberacer/builder:{__version__}")
        return cls(registry, base, builder, os.environ.get("KUBERACER_BUILD_NAMESPACE", "kuberacer-build"))

    def run(self, digest: str, content: Path, site: Path, run: str = "") -> tuple[str, bool]:
        """(the image's name with its digest, whether it was there already). Raises UserError."""
        load_cluster()
        store = ObjectStore(StoreSettings.from_environment())
        key = f"contexts/{digest.removeprefix('sha256:')}.tar"
        with tempfile.TemporaryDirectory() as scratch:
            context = Path(scratch) / "context.tar"
            pack(context, content, site)
            store.put_file(key, context, "application/x-tar")
        try:
            address = store.client.generate_presigned_url(
                "get_object", Params={"Bucket": store.bucket, "Key": key}, ExpiresIn=ADDRESS_S
            )
            watch = JobWatch(self.namespace, self.name(digest), self.seconds)
            watch.create(self.job(digest, address, run))
            result = watch.wait()
        finally:
            store.delete(key)
        return result["image"], not result["built"]

    def name(self, digest: str) -> str:
        """Of the Job; its end is the image's tag. The base belongs to it: a newer one is another image."""
        return f"sim-{hashlib.sha256(f'{digest} {self.base}'.encode()).hexdigest()[:16]}"

    def job(self, digest: str, address: str, run: str) -> dict[str, Any]:
        """The Job's manifest."""
        labels = {
            "app.kubernetes.io/part-of": "kuberacer",
            "kuberacer.io/role": "build",
            **({"kuberacer.io/run": label(run)} if run else {}),
        }
        name = self.name(digest)
        arguments = {
            "--registry": self.registry,
            "--name": name.replace("-", ":"),
            "--base": self.base if "/" in self.base and re.match(r"[^/]*[.:]", self.base) else f"docker.io/{self.base}",
            "--content": digest,
            "--context": address,
        }
        container = {
            "name": "build",
            "image": self.builder,
            "imagePullPolicy": "IfNotPresent",
            "command": ["python3", "-m", "kuberacer.stages.build_job"],
            "args": [part for pair in arguments.items() for part in pair],
            # The last lines of the log tell why a build failed, without the right to read logs.
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "4Gi"}},
            "securityContext": {
                "runAsUser": 0,
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"], "add": CAPABILITIES},
            },
            "volumeMounts": [
                {"name": "work", "mountPath": "/var/lib/containers", "subPath": "containers"},
                {"name": "work", "mountPath": "/var/tmp", "subPath": "scratch"},
                {"name": "work", "mountPath": "/tmp", "subPath": "tmp"},
                {"name": "work", "mountPath": "/run", "subPath": "run"},
                {"name": "registry", "mountPath": "/etc/kuberacer-registry", "readOnly": True},
            ],
        }
        secret = {
            "secretName": CREDENTIALS,
            "optional": True,
            "items": [{"key": ".dockerconfigjson", "path": "config.json"}],
        }
        pod = {
            "serviceAccountName": ACCOUNT,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [
                {"name": "work", "emptyDir": {"sizeLimit": "40Gi"}},
                {"name": "registry", "secret": secret},
            ],
        }
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "backoffLimit": 1,
                "activeDeadlineSeconds": int(self.seconds),
                "ttlSecondsAfterFinished": TTL_S,
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }


class JobWatch:
    """One Job: created once whoever asks first, followed to its end."""

    def __init__(self, namespace: str, name: str, seconds: float, say: Callable[[str], None] = print):
        self.namespace, self.name, self.seconds, self.say = namespace, name, seconds, say
        self._batch, self._core = client.BatchV1Api(), client.CoreV1Api()

    def create(self, job: dict[str, Any]) -> None:
        """A failed forerunner gives way; one that still builds the same is joined. Raises UserError."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self._batch.create_namespaced_job(self.namespace, job)
                return
            except ApiException as error:
                if error.status != 409 or time.monotonic() > deadline:
                    raise self._refused(error) from None
            if not self._make_way():
                self.say(f"build {self.name}: another run builds the same, waiting for it")
                return

    def wait(self) -> dict[str, Any]:
        """What the build left. Says what it waits for. Raises UserError with its cause when it fails."""
        deadline, said, said_at = time.monotonic() + self.seconds + 60, "", 0.0
        try:
            while True:
                job = self._batch.read_namespaced_job(self.name, self.namespace)
                ended = next(
                    (c for c in job.status.conditions or () if c.type in ("Complete", "Failed") and c.status == "True"),
                    None,
                )
                pods = self._core.list_namespaced_pod(self.namespace, label_selector=f"job-name={self.name}").items
                if ended is not None:
                    return self._result(ended, pods)
                state = self._state(pods)
                if state != said or time.monotonic() - said_at > REPEAT_S:
                    self.say(f"build {self.name}: {state}")
                    said, said_at = state, time.monotonic()
                if time.monotonic() > deadline:
                    raise UserError(
                        f"the build {self.name} did not end within {self.seconds:.0f} s: {state}", "see its pod"
                    )
                time.sleep(ASK_S)
        except ApiException as error:
            raise self._refused(error) from None

    def _make_way(self) -> bool:
        """Delete a Job of this name that has failed, or whose image may be gone since; whether there was one."""
        try:
            job = self._batch.read_namespaced_job(self.name, self.namespace)
        except ApiException as error:
            if error.status == 404:
                return True
            raise self._refused(error) from None
        if not any(c.status == "True" for c in job.status.conditions or () if c.type in ("Complete", "Failed")):
            return job.metadata.deletion_timestamp is not None and self._pause()
        try:
            self._batch.delete_namespaced_job(self.name, self.namespace, propagation_policy="Background")
        except ApiException as error:
            if error.status != 404:
                raise self._refused(error) from None
        return self._pause()

    def _pause(self) -> bool:
        time.sleep(ASK_S / 2)
        return True

    def _state(self, pods: list[Any]) -> str:
        if not pods:
            return "waiting for a pod" + self._last_event(self.name)
        pod = max(pods, key=lambda each: each.metadata.creation_timestamp)
        statuses = pod.status.container_statuses or []
        waiting = next((s.state.waiting for s in statuses if s.state.waiting), None)
        if waiting is not None and waiting.reason not in ("ContainerCreating", "PodInitializing"):
            return f"its pod waits: {waiting.reason}: {waiting.message or ''}".rstrip(": ")
        if pod.status.phase == "Pending":
            return "its pod is pending" + self._last_event(pod.metadata.name)
        return "building" if pod.status.phase == "Running" else f"its pod has {pod.status.phase.lower()}"

    def _last_event(self, name: str) -> str:
        events = self._core.list_namespaced_event(self.namespace, field_selector=f"involvedObject.name={name}").items
        warnings = [event for event in events if event.type == "Warning"]
        return f": {warnings[-1].reason}: {warnings[-1].message}" if warnings else ""

    def _result(self, ended: Any, pods: list[Any]) -> dict[str, Any]:
        states = [s.state.terminated for pod in pods for s in pod.status.container_statuses or ()]
        messages = [state.message or "" for state in states if state is not None]
        if ended.type == "Complete":
            for message in messages:
                if message.startswith("{"):
                    return json.loads(message)
        lines = [line for message in messages for line in message.splitlines()]
        cause = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), None)
        remedy = next((line.removeprefix("remedy: ") for line in lines if line.startswith("remedy: ")), None)
        why = cause or (lines[-1] if lines else f"{ended.reason}: {ended.message}")
        raise UserError(f"the build {self.name} failed: {why}", remedy or f"see its pods in namespace {self.namespace}")

    def _refused(self, error: ApiException) -> UserError:
        try:
            reason = json.loads(error.body)["message"]
        except (TypeError, ValueError, KeyError):
            reason = error.reason
        return UserError(
            f"the cluster refuses the build {self.name} in namespace {self.namespace}: {reason}",
            "deploy KubeRacer's manifests there (make deploy), or leave the registry empty",
        )


def load_cluster() -> None:
    """This pod's account, or the user's kubeconfig. Raises UserError."""
    try:
        config.load_incluster_config()
    except config.ConfigException:
        try:
            config.load_kube_config()
        except config.ConfigException:
            raise UserError(
                "a registry is named, but there is no cluster to build on", "leave the registry empty on one machine"
            ) from None


def pack(target: Path, content: Path, site: Path) -> None:
    """A tar with content/ and site/: the same bytes for the same files."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, folder in (("content", content), ("site", site)):
            for path in [folder, *sorted(folder.rglob("*"))]:
                if path.is_symlink() or not (path.is_dir() or path.is_file()):
                    continue
                member = tarfile.TarInfo(str(Path(name) / path.relative_to(folder)))
                if path.is_dir():
                    member.type, member.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(member)
                else:
                    data = path.read_bytes()
                    member.size, member.mode = len(data), 0o755 if os.access(path, os.X_OK) else 0o644
                    tar.addfile(member, io.BytesIO(data))
