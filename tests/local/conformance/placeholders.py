"""Optional inputs with Concat and If placeholders, defaults, and how values of each type reach a command line."""

from typing import Optional

from kfp import dsl

from conformance.case import IMAGE, Case

JOIN = "import sys; open(sys.argv[1], 'w').write('|'.join(sys.argv[2:]))"


@dsl.container_component
def optional(line: dsl.OutputPath(str), name: Optional[str] = None, size: int = 2):  # noqa: UP045
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-c", JOIN, line],
        args=[
            dsl.ConcatPlaceholder(["size=", size]),
            dsl.IfPresentPlaceholder(input_name="name", then=["--name", name], else_=["--anonymous"]),
            dsl.ConcatPlaceholder(["a", dsl.IfPresentPlaceholder(input_name="name", then=name, else_="none"), "z"]),
        ],
    )


@dsl.container_component
def write_values(
    text: str,
    whole: int,
    real: float,
    truth: bool,
    several: list,
    table: dict,
    line: dsl.OutputPath(str),
):
    """Lists and dictionaries come as JSON, whose blanks are free: they are parsed before they are shown."""
    program = (
        "import json, sys; texts = sys.argv[2:6] + [json.dumps(json.loads(text)) for text in sys.argv[6:]]; "
        "open(sys.argv[1], 'w').write('|'.join(texts))"
    )
    return dsl.ContainerSpec(
        image=IMAGE, command=["python", "-c", program, line], args=[text, whole, real, truth, several, table]
    )


@dsl.pipeline(name="placeholders")
def placeholders(name: str = "Ada", text: str = "a 'quoted' \"line\"\n{{x}} $HOME ü"):
    optional()
    optional(name=name, size=7)
    write_values(text=text, whole=3, real=0.5, truth=True, several=["a", 1], table={"k": [1, 2]})


CASES = [
    Case(
        "placeholders",
        placeholders,
        {
            "optional": [{"line": "size=2|--anonymous|anonez"}],
            "optional-2": [{"line": "size=7|--name|Ada|aAdaz"}],
            "write-values": [
                {"line": 'a \'quoted\' "line"\n{{x}} $HOME ü|3|0.5|true|["a", 1]|{"k": [1, 2]}'},
            ],
        },
    ),
]
