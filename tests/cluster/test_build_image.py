"""build_sim_image as a step's pod runs it, with a registry: a Job in the build namespace builds and pushes, once."""

import json
import re
from pathlib import Path

import pytest
import yaml
from deployment import STEP, kubectl
from registry import pull, push_base, running_registry
from test_manifests import pod, run_pod

from kuberacer import __version__

REWARD = "def reward_function(params):\n    return float(params['speed']) * {factor}\n"
ROUTE = (
    "import sys; import numpy as np; from kuberacer.sim.track import load_track\n"
    "np.save('/tmp/route.npy', load_track('pebble').route())"
)


@pytest.fixture(scope="module")
def registry(deployed, tmp_path_factory):
    with running_registry(tmp_path_factory.mktemp("registry")) as address:
        push_base(address, "base")
        yield address


def stage(namespace: str, registry: str, name: str, factor: str, base: str = "base:1") -> dict:
    """The step's pod, under the account of the pipeline's steps."""
    command = (
        f'python -c "$ROUTE" && echo "$REWARD" >/tmp/reward.py && python -m kuberacer.stages.build_sim_image '
        f"--reward-file /tmp/reward.py --track-file /tmp/route.npy --registry http://{registry}/team "
        "--environment /tmp/environment.json --digest /tmp/digest --run a-run && cat /tmp/environment.json"
    )
    settings = {
        "ROUTE": ROUTE,
        "REWARD": REWARD.format(factor=factor),
        "KUBERACER_IMAGE_ROLLOUT": f"{registry}/{base}",
        "KUBERACER_IMAGE_BUILDER": f"kuberacer/builder:{__version__}",
        "KUBERACER_BUILD_NAMESPACE": f"{namespace}-build",
    }
    manifest = pod(
        name,
        f"kuberacer/race:{__version__}",
        ["sh", "-c", command],
        STEP,
        env=[{"name": key, "value": value} for key, value in settings.items()],
        envFrom=[{"secretRef": {"name": "kuberacer-store"}}],
    )
    manifest["spec"]["serviceAccountName"] = "kuberacer-pipeline"
    return manifest


def built(log: str) -> dict:
    return json.loads(log[log.index("{\n") :])


def test_image_is_built_once_and_holds_the_content(deployed, registry):
    log = run_pod(deployed, stage(deployed, registry, "first", "1"))
    environment = built(log)
    assert environment["kind"] == "image"
    assert re.fullmatch(rf"{re.escape(registry)}/team/sim@sha256:[0-9a-f]{{64}}", environment["reference"])
    assert re.search(r"build sim-[0-9a-f]{16}: (its pod is pending|building)", log), log
    config, layers, files = pull(registry, environment["reference"])
    assert config["config"]["Labels"]["org.kuberacer.content"] == environment["digest"]
    assert "KUBERACER_SIM=/opt/kuberacer/sim/content" in config["config"]["Env"]
    assert files["etc/base"] == b"base"
    assert files["opt/kuberacer/sim/content/reward_function.py"].decode().strip() == REWARD.format(factor="1").strip()
    assert {Path(name).name for name in files} >= {"route.npy", "race.json", "modules.lock"}

    again = run_pod(deployed, stage(deployed, registry, "again", "1"))
    assert "the same as before, not built again" in again
    assert built(again) == environment

    other = built(run_pod(deployed, stage(deployed, registry, "other", "2")))
    assert other["reference"] != environment["reference"]
    assert pull(registry, other["reference"])[1][:2] == layers[:2], "the modules' layer is not that of the cache"


def test_failing_build_says_why(deployed, registry):
    manifest = stage(deployed, registry, "failing", "3", base="no-such-base:1")
    kubectl("-n", deployed, "apply", "-f", "-", text=yaml.safe_dump(manifest))
    kubectl("-n", deployed, "wait", "pod/failing", "--for=jsonpath={.status.phase}=Failed", "--timeout=180s")
    lines = kubectl("-n", deployed, "logs", "failing").splitlines()
    cause, remedy = lines[-2:]
    assert cause.startswith("error: the build sim-")
    assert "buildah bud failed" in cause
    assert "no-such-base" in cause
    assert remedy.startswith("remedy: ")


def test_build_has_no_more_than_the_baseline(deployed, registry):
    """What ran in the build namespace: no token, no credentials, nothing privileged, capabilities of the baseline."""
    pods = json.loads(kubectl("-n", f"{deployed}-build", "get", "pods", "-o", "json"))["items"]
    assert pods, "run the other tests of this file first"
    for each in pods:
        spec = each["spec"]
        container = spec["containers"][0]
        assert spec["serviceAccountName"] == "kuberacer-build"
        assert spec["automountServiceAccountToken"] is False
        assert "envFrom" not in container
        assert "env" not in container
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert "SYS_ADMIN" not in container["securityContext"]["capabilities"]["add"]
        assert each["metadata"]["labels"]["kuberacer.io/role"] == "build"
        assert each["metadata"]["labels"]["kuberacer.io/run"] == "a-run"
