"""Metadata that one step writes (its metrics) and a later one reads, through a pipeline within, too."""

from kfp import dsl

from conformance.case import IMAGE, Case

MEASURE = """
import json, os, sys
os.makedirs(os.path.dirname(sys.argv[1]), exist_ok=True)
metadata = {'laps': 3, 'driver': sys.argv[2]}
open(sys.argv[1], 'w').write(json.dumps({'artifacts': {'metrics': {'artifacts': [{'metadata': metadata}]}}}))
"""


@dsl.container_component
def measure(driver: str, metrics: dsl.Output[dsl.Metrics]):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-c", MEASURE],
        args=[dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER, driver],
    )


@dsl.container_component
def tell(metrics: dsl.Input[dsl.Metrics], told: dsl.OutputPath(str)):
    program = (
        "import json, sys; laps, driver, nothing, whole, told = sys.argv[1:]; "
        "open(told, 'w').write('|'.join([laps, driver, nothing, json.dumps(json.loads(whole), sort_keys=True)]))"
    )
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-c", program],
        args=[
            metrics.metadata["laps"],
            metrics.metadata["driver"],
            metrics.metadata["nothing"],
            metrics.metadata,
            told,
        ],
    )


@dsl.pipeline(name="measured")
def measured(driver: str) -> dsl.Metrics:
    return measure(driver=driver).outputs["metrics"]


@dsl.pipeline(name="told")
def told(metrics: dsl.Input[dsl.Metrics]):
    tell(metrics=metrics)


@dsl.pipeline(name="metadata")
def metadata(driver: str = "{{Ada}}"):
    tell(metrics=measure(driver=driver).outputs["metrics"])
    told(metrics=measured(driver=driver).output)


WRITTEN = {"laps": 3, "driver": "{{Ada}}"}
CASES = [
    Case(
        "metadata",
        metadata,
        {
            "measure": [{"metrics": WRITTEN}] * 2,
            "tell": [{"told": '3|{{Ada}}||{"driver": "{{Ada}}", "laps": 3}'}] * 2,
        },
    ),
]
