"""Artifacts: a file, a directory, HTML, Metrics by a partial executor output, one given on to the next step."""

from kfp import dsl

from conformance.case import IMAGE, Case

MAKE = """
import json, os, sys
executor_output, file, folder, page = sys.argv[1:]
if executor_output.startswith('{' + '{$.'):  # Kubeflow Pipelines 2.0 does not know the placeholder
    executor_output = '/tmp/kfp_outputs/output_metadata.json'
open(file, 'w').write('text')
os.makedirs(os.path.join(folder, 'deep'))
open(os.path.join(folder, 'deep', 'a.txt'), 'w').write('a')
open(os.path.join(folder, 'b.txt'), 'w').write('b')
open(page, 'w').write('<p>page</p>')
os.makedirs(os.path.dirname(executor_output), exist_ok=True)
open(executor_output, 'w').write(json.dumps({'artifacts': {'metrics': {'artifacts': [{'metadata': {'laps': 3}}]}}}))
"""
READ = """
import os, sys
file, folder, uri, read = sys.argv[1:]
names = sorted(name for _, _, names in os.walk(folder) for name in names)
open(read, 'w').write(open(file).read() + ' ' + ','.join(names) + ' ' + str(uri.rstrip('/').endswith('folder')))
"""


@dsl.container_component
def make(
    file: dsl.Output[dsl.Dataset],
    folder: dsl.Output[dsl.Model],
    page: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
):
    """Does not mention most of its outputs in its executor output: they must not be lost."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-c", MAKE],
        args=[dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER, file.path, folder.path, page.path],
    )


@dsl.container_component
def read(file: dsl.Input[dsl.Dataset], folder: dsl.Input[dsl.Model], contents: dsl.OutputPath(str)):
    return dsl.ContainerSpec(
        image=IMAGE, command=["python", "-c", READ], args=[file.path, folder.path, folder.uri, contents]
    )


@dsl.pipeline(name="artifacts")
def artifacts():
    made = make()
    read(file=made.outputs["file"], folder=made.outputs["folder"])


CASES = [
    Case(
        "artifacts",
        artifacts,
        {
            "make": [
                {
                    "file": "text",
                    "folder": {"deep/a.txt": "a", "b.txt": "b"},
                    "page": "<p>page</p>",
                    "metrics": {"laps": 3},
                }
            ],
            "read": [{"contents": "text a.txt,b.txt True"}],
        },
    ),
]
