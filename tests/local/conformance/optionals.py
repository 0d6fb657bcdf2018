"""Inputs of the pipeline that are given or not, known only when it runs, passed on to steps and pipelines within."""

from typing import Optional

from kfp import dsl

from conformance.case import IMAGE, Case

JOIN = "import sys; open(sys.argv[1], 'w').write('|'.join(sys.argv[2:]))"


@dsl.container_component
def introduce(line: dsl.OutputPath(str), name: Optional[str] = None, size: int = 2):  # noqa: UP045
    """Both branches have as many arguments: Argo Workflows cannot leave one out when the pipeline runs."""
    named = dsl.IfPresentPlaceholder(input_name="name", then=["--name", name], else_=["--anonymous", "yes"])
    title = dsl.ConcatPlaceholder(["<", dsl.IfPresentPlaceholder(input_name="name", then=name, else_="nobody"), ">"])
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", JOIN, line], args=[named, title, size])


@dsl.pipeline(name="introduction")
def introduction(name: Optional[str] = None, size: Optional[int] = None) -> str:  # noqa: UP045
    return introduce(name=name, size=size).outputs["line"]


@dsl.pipeline(name="optionals")
def optionals(name: Optional[str] = None, size: Optional[int] = None):  # noqa: UP045
    introduce(name=name, size=size)
    introduction(name=name, size=size)


CASES = [
    Case("missing", optionals, {"introduce": [{"line": "--anonymous|yes|<nobody>|2"}] * 2}),
    Case("given", optionals, {"introduce": [{"line": "--name|Ada|<Ada>|5"}] * 2}, {"name": "Ada", "size": 5}),
]
