"""Artifacts of a loop collected into a list: in local processes alone, Argo and older KFP have no such lists."""

from kfp import dsl

from conformance.case import IMAGE, Case
from conformance.loops import note


@dsl.container_component
def join_pages(pages: dsl.Input[list[dsl.Artifact]], joined: dsl.OutputPath(str)):
    program = "import json, sys; open(sys.argv[2], 'w').write(f'{len(json.loads(sys.argv[1]))} pages')"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[pages, joined])


@dsl.pipeline(name="artifact-lists")
def artifact_lists(words: list = ["one", "two"]):  # noqa: B006  only KFP reads it
    with dsl.ParallelFor(words) as word:
        page = note(text=word)
    join_pages(pages=dsl.Collected(page.outputs["page"]))


CASES = [
    Case(
        "two",
        artifact_lists,
        {"note": [{"page": "one"}, {"page": "two"}], "join-pages": [{"joined": "2 pages"}]},
    ),
    Case("none", artifact_lists, {"join-pages": [{"joined": "0 pages"}]}, {"words": []}),
]
