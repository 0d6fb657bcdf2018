"""What Prometheus is told. With several processes their numbers are added up, those of processes that died too: through
files in PROMETHEUS_MULTIPROC_DIR, which must be set before this module is imported."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from kuberacer.serve.policy import Policy

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)

disable_created_metrics()
_registry = CollectorRegistry()
REQUESTS = Counter(
    "kuberacer_predict_requests",
    "Predict requests that were answered, by their status.",
    ["status"],
    registry=_registry,
)
INSTANCES = Counter("kuberacer_predict_instances", "Observations that were answered.", registry=_registry)
REFUSED = Counter(
    "kuberacer_predict_refused", "Predict requests that were not answered, by the reason.", ["reason"],
    registry=_registry,
)  # fmt: skip
SECONDS = Histogram(
    "kuberacer_predict_seconds", "From a request's head to its answer.", buckets=_SECONDS, registry=_registry
)
WAITED = Histogram(
    "kuberacer_batch_waited_seconds", "What the oldest request of a batch waited.", buckets=_SECONDS, registry=_registry
)
NETWORK = Histogram(
    "kuberacer_network_seconds", "What the network took for a batch.", buckets=_SECONDS, registry=_registry
)
BATCH = Histogram("kuberacer_batch_size", "Observations of a batch.", buckets=_SIZES, registry=_registry)
# Several processes say the same: the most of them is that.
_INFO = Gauge(
    "kuberacer_model", "1, of the model that is served.", ["model", "run", "environment", "algorithm", "digest"],
    registry=_registry, multiprocess_mode="max",
)  # fmt: skip
_EXPIRES = Gauge(
    "kuberacer_expires_timestamp_seconds", "When this endpoint deletes itself; 0: never.", registry=_registry,
    multiprocess_mode="max",
)  # fmt: skip


def describe(name: str, policy: Policy, digest: str, expires_at: float | None) -> None:
    _INFO.labels(name, policy.run, policy.environment, policy.algorithm, digest).set(1)
    _EXPIRES.set(expires_at or 0)


def batch(size: int, waited_s: float, took_s: float) -> None:
    BATCH.observe(size)
    WAITED.observe(waited_s)
    NETWORK.observe(took_s)


def text() -> bytes:
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(_registry)
    of_all = CollectorRegistry()
    MultiProcessCollector(of_all)
    return generate_latest(of_all)
