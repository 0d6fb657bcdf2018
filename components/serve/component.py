"""Serve a run's model on the cluster, until it has expired."""

from kfp import dsl

from components.images import RACE


@dsl.container_component
def serve(
    address: dsl.OutputPath(str),  # type: ignore[valid-type]
    usage: dsl.Output[dsl.Artifact],
    run_to_serve: str = "",
    name: str = "",
    expires: str = "8h",
    replicas: int = 2,
    kserve: int = 0,
    namespace: str = "",
):
    """Makes a Deployment and a Service of the model server, or KServe's InferenceService, and waits until it is ready.

    Args:
        address: Where it answers in the cluster.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        run_to_serve: Name of a run that has published a model.
        name: Name of the endpoint: a-z, 0-9 and -. Default: as the run.
        expires: After which it deletes itself: 90s, 30m, 8h, 2d, or never.
        replicas: Pods that answer.
        kserve: 1 makes an InferenceService of KServe. 0: a Deployment.
        namespace: Where. Default: where this step runs; for Kubeflow Pipelines `kuberacer`.
    """
    return dsl.ContainerSpec(
        image=RACE,
        command=["python", "-m", "kuberacer.stages.serve"],
        args=[
            "--run-to-serve",
            run_to_serve,
            "--name",
            name,
            "--expires",
            expires,
            "--replicas",
            replicas,
            "--kserve",
            kserve,
            "--namespace",
            namespace,
            "--address",
            address,
            "--usage",
            usage.path,
        ],
    )
