"""Pipelines as steps of pipelines, with parameters, artifacts and outputs passed through, and inside a loop."""

from kfp import dsl

from conformance.case import IMAGE, Case
from conformance.steps import add, say


@dsl.container_component
def draw(text: str, picture: dsl.Output[dsl.Artifact]):
    program = "import sys; open(sys.argv[2], 'w').write(sys.argv[1])"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[text, picture.path])


@dsl.container_component
def look(picture: dsl.Input[dsl.Artifact], seen: dsl.OutputPath(str)):
    program = "import sys; open(sys.argv[2], 'w').write(open(sys.argv[1]).read())"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[picture.path, seen])


@dsl.pipeline(name="inner")
def inner(number: int, step: int = 5) -> int:
    return add(a=number, b=step).outputs["total"]


@dsl.pipeline(name="paint")
def paint(text: str) -> dsl.Artifact:
    return draw(text=text).outputs["picture"]


@dsl.pipeline(name="nested")
def nested(start: int = 1) -> int:
    first = inner(number=start)
    second = inner(number=first.output, step=100)
    picture = paint(text="a track")
    look(picture=picture.output)
    with dsl.ParallelFor([10, 20]) as number:
        inner(number=number, step=1)
    say(text=f"{second.output} metres")
    return second.output


CASES = [
    Case(
        "nested",
        nested,
        {
            "add": [{"total": 7}, {"total": 107}, {"total": 11}, {"total": 21}],
            "draw": [{"picture": "a track"}],
            "look": [{"seen": "a track"}],
            "say": [{"said": "107 metres"}],
        },
        {"start": 2},
    ),
]
