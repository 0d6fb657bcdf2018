"""Who gets what: methods, names of the host, tokens, policies, files and parts of files."""

import made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.watch.app import wanted_part
from kuberacer.watch.bucket import BucketRuns
from kuberacer.watch.guard import COOKIE
from kuberacer.watch.local import LocalRuns

TOKEN = "a-token-of-some-length"


def test_it_reads_only(serve, out):
    client = serve(LocalRuns(out))
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert client.ask("/api/runs", method).status == 405
    assert client.ask("/api/runs", "HEAD").status == 200


def test_without_a_token_only_the_loopback_s_names_are_answered(serve, out):
    client = serve(LocalRuns(out))
    assert client.ask("/api/runs", host="evil.example").status == 403
    assert client.ask("/api/runs", host="127.0.0.1.evil.example:80").status == 403
    assert client.ask("/api/runs", host="localhost:1").status == 200


def test_a_token_is_wanted_once_and_then_a_cookie(serve, out):
    client = serve(LocalRuns(out), TOKEN)
    refused = client.ask("/api/runs")
    assert refused.status == 401
    assert refused.json()["error"]["remedy"]
    for wrong in ({"authorization": "Bearer nonsense"}, {"cookie": f"{COOKIE}=x"}, {"cookie": f"{COOKIE}=ü"}):
        assert client.ask("/api/runs", **wrong).status == 401
    assert client.ask("/api/runs?token=nonsense").status == 401
    let_in = client.ask(f"/api/runs?a=b&token={TOKEN}")
    assert (let_in.status, let_in.headers["location"]) == (303, "/api/runs?a=b")
    assert "HttpOnly" in let_in.headers["set-cookie"]
    assert "SameSite=Strict" in let_in.headers["set-cookie"]
    assert client.ask("/api/runs", cookie=let_in.headers["set-cookie"].split(";")[0]).status == 200
    assert client.ask("/api/runs", authorization=f"Bearer {TOKEN}", host="cluster.example").status == 200
    assert client.ask("/healthz").json() == {"ok": True}


def test_the_way_in_leads_nowhere_else(serve, out):
    assert serve(LocalRuns(out), TOKEN).ask(f"//evil.example?token={TOKEN}").headers["location"] == "/evil.example"


def test_every_answer_keeps_to_this_server(serve, out):
    made.finished(out, "oval-1")
    client = serve(LocalRuns(out))
    for path in ("/api/runs", "/api/runs/nothing", "/api/runs/oval-1", "/nothing"):
        policy = client.ask(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy
        assert client.ask(path).headers["x-content-type-options"] == "nosniff"


def test_a_report_is_sandboxed(serve, store):
    made.train(store, "oval-1", [made.row(1)], "trained")
    made.publish(store, "oval-1", 9.5)
    answer = serve(BucketRuns(store)).ask("/api/runs/oval-1/files/report.html")
    assert answer.body == b"<html><script>alert(1)</script></html>"
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert "script-src" not in answer.headers["content-security-policy"]  # none, by default-src


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_parts_of_a_video_and_a_download(serve, kind, out, store):
    data = bytes(range(256)) * 4
    made.finished(out, "oval-1")
    made.train(store, "oval-1", [made.row(1)])
    store.put_bytes("oval-1/video.mp4", data)
    client = serve(LocalRuns(out) if kind == "folder" else BucketRuns(store))
    path = "/api/runs/oval-1/files/video.mp4"
    whole = client.ask(path)
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, data, "video/mp4")
    for asked, status, first, last in (("bytes=100-199", 206, 100, 199), ("bytes=1000-", 206, 1000, 1023)):
        part = client.ask(path, range=asked)
        assert (part.status, part.body) == (status, data[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/1024"
    assert client.ask(path, range="bytes=-24").body == data[-24:]
    assert client.ask(path, range="bytes=4000-").status == 416
    head = client.ask(path, "HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, "1024", b"")
    assert client.ask(f"{path}?download=1").headers["content-disposition"].startswith("attachment")


@given(st.text(max_size=12) | st.from_regex(r"bytes=\d{0,5}-\d{0,5}", fullmatch=True), st.integers(0, 3000))
def test_a_part_lies_in_the_file(header, size):
    first, last, status = wanted_part(header, size)
    assert status in (200, 206, 416)
    if status == 206:
        assert 0 <= first <= last < size
    if status == 200:
        assert (first, last) == (0, size - 1)


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2fsecret", "%2e%2e/%2e%2e/secret", "../../secret", "....//secret", ".store/identities.json",
        ".lock", "link", "linked/secret", "logs/../../secret", "/etc/passwd", "%2fetc%2fpasswd", "run.json%00",
    ],
)  # fmt: skip
def test_no_way_out_of_a_run_s_folder(serve, out, path):
    folder = made.finished(out, "oval-1")
    (out / "secret").write_text("secret")
    (folder / ".store").mkdir()
    (folder / ".store" / "identities.json").write_text("secret")
    (folder / "link").symlink_to(out / "secret")
    (folder / "linked").symlink_to(out)
    client = serve(LocalRuns(out))
    answer = client.ask(f"/api/runs/oval-1/files/{path}")
    assert answer.status in (404, 400)
    assert b"secret" not in answer.body
    assert client.ask("/api/runs/..%2foval-1/files/run.json").status == 404


def test_a_bucket_s_other_keys_are_not_given(serve, store):
    made.train(store, "oval-1", [made.row(1)])
    made.train(store, "other", [made.row(1)])
    store.put_bytes("inputs/secret.npy", b"secret")
    client = serve(BucketRuns(store))
    keys = [key for key in store.list("oval-1/") if "/objects/" in key]
    for path in (keys[0].removeprefix("oval-1/"), "../other/live/about.json", "..%2finputs%2fsecret.npy"):
        assert client.ask(f"/api/runs/oval-1/files/{path}").status == 404
    assert client.ask("/api/runs/inputs/files/secret.npy").status == 404


def test_credentials_are_in_no_answer(serve, store, settings):
    made.train(store, "oval-1", [made.row(1)])
    client = serve(BucketRuns(store))
    secret = settings.aws_secret_access_key.get_secret_value().encode()
    key = settings.aws_access_key_id.get_secret_value().encode()
    for path in ("/api/runs", "/api/runs/oval-1", "/api/runs/nothing", "/api/runs/oval-1/files/nothing"):
        body = client.ask(path).body
        assert secret not in body
        assert key not in body
