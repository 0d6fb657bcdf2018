"""Serve a run's model: one step, for the Kubeflow and Argo UI."""

from kfp import dsl

from components import pools
from components.images import SERVE
from components.serve.component import serve as serve_stage
from pipelines.race import with_store


@dsl.pipeline(
    name="serve",
    description="An endpoint of a run's model, which deletes itself when it has expired.",
)
def serve(
    run_to_serve: str = "",
    name: str = "",
    expires: str = "8h",
    replicas: int = 2,
    kserve: int = 0,
    namespace: str = "",
):
    """An endpoint of a run's model.

    Args:
        run_to_serve: Name of a run that has published a model.
        name: Name of the endpoint: a-z, 0-9 and -. Empty: as the run.
        expires: After which it deletes itself: 90s, 30m, 8h, 2d, or never.
        replicas: Pods that answer.
        kserve: 1 makes an InferenceService of KServe. 0: a Deployment.
        namespace: Where. Empty: where this step runs; for Kubeflow Pipelines `kuberacer`.
    """
    served = serve_stage(
        run_to_serve=run_to_serve,
        name=name,
        expires=expires,
        replicas=replicas,
        kserve=kserve,
        namespace=namespace,
    )
    served.set_env_variable("KUBERACER_IMAGE_SERVE", SERVE).set_caching_options(False)
    pools.small(with_store(served))
