"""The server over HTTP: KServe's V1 protocol, who may ask, limits, metrics, its ways to end."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import policies
import pytest

from kuberacer.serve import app

TOKEN = "a-token-of-some-length"


def test_mountain_car_pushes_left_and_right(serve, tmp_path):
    client = serve(policies.mountain_car(tmp_path)).client
    left, right = client.predict([0.5, -0.5], [-0.5, 0.5])  # velocities beyond the space's bounds
    assert (left["action"], left["meaning"]) == (0, "left")
    assert (right["action"], right["meaning"]) == (2, "right")
    assert len(left["q_values"]) == 3


def test_continuous_actions_have_their_unit_back(serve, tmp_path):
    client = serve(policies.continuous(tmp_path)).client
    (found,) = client.predict([-0.3, 0.035])
    assert found["action"] == pytest.approx([-2 + 0.75 * 6])
    assert found["values"] == pytest.approx({"push": -2 + 0.75 * 6})


def test_a_picture_gives_steering_and_speed(serve, tmp_path):
    client = serve(policies.race(tmp_path)).client
    picture = policies.bright(left=False)
    as_png, as_jpeg, as_list = client.predict(
        {"image": policies.png(picture)}, {"image": [policies.png(picture, "JPEG")]}, picture[..., None].tolist()
    )
    assert as_png["values"] == as_jpeg["values"] == as_list["values"] == {"steering_angle": -30.0, "speed": 0.8}
    assert as_png == as_list
    (left,) = client.predict({"image": policies.png(policies.bright(left=True, size=(480, 640)))})
    assert left["values"]["steering_angle"] == 30.0


def test_a_camera_and_a_lidar_are_asked_together(serve, tmp_path):
    client = serve(policies.race(tmp_path, lidar=True)).client
    image = {"image": policies.png(policies.bright(left=True))}
    far, near = (
        client.predict({"FRONT_FACING_CAMERA": image, "LIDAR": [first, 1, 1]})[0]["action"] for first in (0, 0.9)
    )
    assert (far, near) == (0, 1)


def test_what_is_wrong_gets_422_and_what_is_expected(serve, tmp_path):
    client = serve(policies.mountain_car(tmp_path)).client
    for data in (
        b'{"instances": [[1, 2, 3]]}',
        b'{"instances": [["1", 2]]}',
        b'{"instances": [[NaN, 2]]}',
        b"nonsense",
    ):
        answer = client.send(data)
        assert answer.status == 422
        found = answer.json()
        assert found["error"]
        assert found["expected"] == {
            "shape": [2], "dtype": "float32", "low": [-1.2, -0.07], "high": [0.6, 0.07],
            "meaning": ["position", "velocity"],
        }  # fmt: skip
    assert client.metric("kuberacer_predict_refused_total") >= 4


def test_it_says_what_it_serves(serve, tmp_path):
    client = serve(policies.mountain_car(tmp_path)).client
    assert client.ask("/v1/models").json() == {"models": ["served"]}
    found = client.ask("/v1/models/served").json()
    assert (found["name"], found["ready"], found["run"], found["algorithm"]) == ("served", True, "run-1", "dqn")
    assert found["digest"].startswith("sha256:")
    assert client.ask("/healthz").json() == {"ok": True}
    assert client.ask("/readyz").json() == {"ready": True}
    for path in ("/v1/models/other", "/v1/models/other:predict", "/", "/docs", "/v1/models/served:predict/"):
        answer = client.ask(path)
        assert (answer.status, list(answer.json())) == (404, ["error"])
    assert client.ask("/v1/models/served:predict").status == 405


def test_a_body_has_a_type_and_a_size(serve, tmp_path):
    client = serve(policies.mountain_car(tmp_path)).client
    body = b'{"instances": [[0, 0]]}'
    assert client.send(body, content_type="application/json; charset=utf-8").status == 200
    for wrong in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert client.send(body, content_type=wrong).status == 415
    assert client.send(body + b" " * (64 << 10)).status == 413
    chunks = client.send(iter([b" " * (32 << 10)] * 3))  # whose length is not told before
    assert chunks.status == 413


def test_a_token_is_wanted_of_everybody_but_probes(serve, tmp_path):
    client = serve(policies.mountain_car(tmp_path), token=TOKEN).client
    for path in ("/v1/models", "/v1/models/served", "/metrics", "/openapi.json", "/nothing"):
        assert client.ask(path).status == 401
        assert client.ask(path, authorization="Bearer nonsense").status == 401
        assert client.ask(path, authorization=f"Bearer {TOKEN}", host="endpoint.example").status in (200, 404)
    assert client.send(b'{"instances": [[0, 0]]}').status == 401
    assert client.send(b'{"instances": [[0, 0]]}', authorization=f"bearer {TOKEN}").status == 200
    assert client.ask("/healthz").status == client.ask("/readyz").status == 200


def test_without_a_token_only_the_loopback_s_names_are_answered(serve, tmp_path):
    client = serve(policies.mountain_car(tmp_path)).client
    assert client.ask("/v1/models", host="evil.example").status == 403
    assert client.ask("/v1/models", host=f"localhost:{client.port}").status == 200


def test_metrics_count_what_was_answered_and_how(serve, tmp_path):
    client = serve(policies.mountain_car(tmp_path)).client
    names = ("predict_requests_total", "predict_instances_total", "batch_size_count", "batch_size_sum")
    before = [client.metric(f"kuberacer_{name}") for name in names]
    client.predict([0, 0], [0, 0], [0, 0])
    client.send(b"nonsense")
    after = [client.metric(f"kuberacer_{name}") for name in names]
    assert [new - old for old, new in zip(before, after, strict=True)] == [2, 3, 1, 3]
    text = client.ask("/metrics").body.decode()
    assert 'kuberacer_model{algorithm="dqn",digest="sha256:' in text
    assert 'kuberacer_predict_requests_total{status="422"}' in text


def test_the_log_is_json_and_has_no_token(serve, tmp_path, capfd):
    client = serve(policies.mountain_car(tmp_path), token=TOKEN).client
    answer = client.send(b'{"instances": [[0, 0], [0, 1]]}', authorization=f"Bearer {TOKEN}")
    client.ask("/nothing?token=" + TOKEN)
    client.ask("/healthz")
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    told = [json.loads(line) for line in lines]
    assert [(each["path"], each["status"]) for each in told] == [("/v1/models/served:predict", 200), ("/nothing", 401)]
    assert (told[0]["request"], told[0]["instances"]) == (answer.headers["x-request-id"], 2)
    assert TOKEN not in "".join(lines)


def test_an_expired_endpoint_is_not_ready_and_answers_no_more(serve, tmp_path):
    client = serve(policies.mountain_car(tmp_path), expires_at=time.time() - 1).client
    assert client.ask("/readyz").status == 503
    assert client.ask("/v1/models/served").json()["ready"] is False
    assert client.send(b'{"instances": [[0, 0]]}').status == 410


def test_a_network_that_does_not_end_is_a_504_and_the_next_is_answered(serve, tmp_path):
    keys = policies.policy(normalisation=None, examples=[])
    client = serve(policies.write(tmp_path, keys, policies.endless()), patience_s=0.5).client
    assert client.send(b'{"instances": [[2, 0]]}').status == 504
    assert client.predict([0.5, 0])[0]["action"] == 0


def test_an_answer_that_is_no_number_is_nobody_else_s(serve, tmp_path):
    import numpy as np

    weights = np.array([[1e38, 0, 0], [0, 0, 0]])
    keys = policies.policy(normalisation=None, examples=[])
    client = serve(policies.write(tmp_path, keys, policies.linear({"observation": (2,)}, weights))).client
    assert client.send(b'{"instances": [[1e6, 0]]}').status == 500
    assert client.predict([1, 0])[0]["action"] == 0


def test_a_body_that_does_not_come_is_given_up(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "BODY_S", 0.3)
    client = serve(policies.mountain_car(tmp_path)).client
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as slow:
        slow.sendall(
            b"POST /v1/models/served:predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b'content-length: 23\r\n\r\n{"instances"'
        )
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")


def test_too_much_at_once_is_refused_and_comes_through_later(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "MOST_UNREAD", 3 * (64 << 10))
    client = serve(policies.mountain_car(tmp_path)).client
    open_ones = []
    for _ in range(3):
        slow = socket.create_connection(("127.0.0.1", client.port), timeout=30)
        slow.sendall(
            b"POST /v1/models/served:predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: 23\r\n\r\n"
        )
        open_ones.append(slow)
    until = time.monotonic() + 30
    while (refused := client.send(b'{"instances": [[0, 0]]}')).status != 503:
        assert time.monotonic() < until
    assert refused.headers["retry-after"]
    for slow in open_ones:
        slow.sendall(b'{"instances": [[0, 0]]}')
        assert slow.recv(4096).startswith(b"HTTP/1.1 200")
        slow.close()
    assert client.predict([0, 0])


def test_what_is_being_answered_when_it_ends_is_answered(serve, tmp_path):
    keys = policies.policy(normalisation=None, examples=[])
    running = serve(policies.write(tmp_path, keys, policies.endless()), patience_s=1.0)
    found = []
    asking = threading.Thread(target=lambda: found.append(running.client.send(b'{"instances": [[2, 0]]}').status))
    asking.start()
    time.sleep(0.3)
    running.server.should_exit = True
    asking.join(30)
    running.thread.join(30)
    assert found == [504]
    assert not running.thread.is_alive()
    with pytest.raises(OSError, match="refused"):
        running.client.ask("/healthz")


def test_many_at_once_all_get_their_own(serve, tmp_path):
    client = serve(policies.mountain_car(tmp_path)).client

    def ask(number: int) -> bool:
        velocity = 0.01 * (1 + number % 5) * (-1 if number % 2 else 1)
        (found,) = client.predict([0, velocity])
        assert found["q_values"][2] == pytest.approx(velocity / 0.07, rel=1e-5)
        return found["action"] == (0 if number % 2 else 2)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(200)))
