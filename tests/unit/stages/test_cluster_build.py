"""The context's tar and the Job that builds: what goes in comes out, and nothing leads out of the folder."""

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.stages.build_job import recipe, unpack
from kuberacer.stages.cluster_build import ClusterBuild, label, pack

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20
)
FILES = st.dictionaries(NAMES.filter(lambda name: name not in (".", "..")), st.binary(max_size=200), max_size=5)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@given(content=FILES, site=FILES)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_context_comes_out_as_it_went_in(tmp_path_factory, content, site):
    place = tmp_path_factory.mktemp("context")
    content_folder, site_folder = write(place / "c", content), write(place / "s", site)
    for name in ("one.tar", "two.tar"):
        pack(place / name, content_folder, site_folder)
    assert (place / "one.tar").read_bytes() == (place / "two.tar").read_bytes()
    with tarfile.open(place / "one.tar") as tar:
        unpack(tar, place / "out")
    assert read(place / "out" / "content") == content
    assert read(place / "out" / "site") == site


@pytest.mark.parametrize(
    ("name", "kind"),
    [("../out", tarfile.REGTYPE), ("/etc/x", tarfile.REGTYPE), ("content/../../x", tarfile.REGTYPE),
     ("content/link", tarfile.SYMTYPE), ("content/hard", tarfile.LNKTYPE), ("content/pipe", tarfile.FIFOTYPE)],
)  # fmt: skip
def test_no_member_leads_out(tmp_path, name, kind):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(member)
    packed.seek(0)
    with tarfile.open(fileobj=packed) as tar, pytest.raises(tarfile.TarError, match="is none of a context"):
        unpack(tar, tmp_path / "out" / "context")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_job_is_named_by_content_and_base():
    build = ClusterBuild("registry.example/team", "registry.example/rollout:1", "kuberacer/builder:1", "builds")
    newer = ClusterBuild("registry.example/team", "registry.example/rollout:2", "kuberacer/builder:1", "builds")
    assert build.name("sha256:a") == build.name("sha256:a")
    assert len({build.name("sha256:a"), build.name("sha256:b"), newer.name("sha256:a")}) == 3


def test_job_asks_for_nothing_privileged():
    build = ClusterBuild("registry.example/team", "kuberacer/rollout:1", "kuberacer/builder:1", "builds")
    job = build.job("sha256:a", "http://store/contexts/a.tar?signature", "a run")
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert "SYS_ADMIN" not in container["securityContext"]["capabilities"]["add"]
    assert "privileged" not in container["securityContext"]
    assert container["args"][container["args"].index("--base") + 1] == "docker.io/kuberacer/rollout:1"
    assert job["metadata"]["labels"]["kuberacer.io/run"] == "a-run"
    assert job["spec"]["ttlSecondsAfterFinished"] > 0


def test_recipe_runs_nothing():
    assert [line.split()[0] for line in recipe("base:1").splitlines()] == ["FROM", "COPY", "COPY"]


def test_wrong_registry_is_refused_before_anything_is_made(monkeypatch):
    with pytest.raises(UserError, match="is not the name of a registry"):
        ClusterBuild.of_environment("my registry")


@given(st.text(max_size=100))
def test_label_is_one(text):
    value = label(text)
    assert len(value) <= 63
    assert value == "" or (value[0].isalnum() and value[-1].isalnum() and value.isascii())
