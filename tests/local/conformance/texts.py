"""Texts that a template, a shell or a file format could take for its own arrive as they are, however they travel."""

import hashlib

from kfp import dsl

from conformance.case import IMAGE, Case
from conformance.steps import say

NASTY = (
    "{{workflow.name}} {{=1+1}} {{{{x}}}} {{$}} }} {{inputs.parameters.text}} $(HOME) $$(HOME) $HOME ${HOME} `id` "
    "\"double\" 'single' \\n \\u007b % %7B <b>&amp; \u2060- \u2060. ü 車 🏎 {\u2060-{ "
    "\ttab\nline\n\n# not a comment\n- not: a list\nend"
)
LONG = "".join(f"line {number}: {{{{ {NASTY[number % 40 :]} }}}}\r\n" for number in range(500))[:100_000] + "."


@dsl.container_component
def digest(text: str, digest: dsl.OutputPath(str)):
    """What arrived, without its content: sha256 and length."""
    program = (
        "import hashlib, sys; data = sys.argv[1].encode(); "
        "open(sys.argv[2], 'w').write(f'{hashlib.sha256(data).hexdigest()} {len(data)}')"
    )
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[text, digest])


@dsl.container_component
def wrap(text: str, said: dsl.OutputPath(str)):
    program = "import sys; open(sys.argv[2], 'w', newline='').write(sys.argv[1])"
    return dsl.ContainerSpec(
        image=IMAGE, command=["python", "-c", program], args=[dsl.ConcatPlaceholder(["{", text, "}"]), said]
    )


@dsl.pipeline(name="inner-text")
def inner(text: str) -> str:
    return wrap(text=text).outputs["said"]


@dsl.container_component
def show(several: list, table: dict, shown: dsl.OutputPath(str)):
    program = (
        "import json, sys; values = [json.loads(text) for text in sys.argv[1:3]]; "
        "open(sys.argv[3], 'w').write(json.dumps(values))"
    )
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[several, table, shown])


@dsl.pipeline(name="texts")
def texts(
    text: str = NASTY,
    long: str = "",
    several: list = ["{{a}}", "$(b)"],  # noqa: B006  only KFP reads it
    table: dict = {"{{k}}": "$$"},  # noqa: B006
):
    wrapped = wrap(text=text)
    digest(text=wrapped.outputs["said"])
    passed = inner(text=wrapped.outputs["said"])
    digest(text=f"<{passed.output}>")
    digest(text=long)
    show(several=several, table=table)
    with dsl.ParallelFor(several) as item:
        each = wrap(text=item)
        with dsl.If(item == "{{a}}"):
            say(text=item)
    show(several=dsl.Collected(each.outputs["said"]), table={"{{": "}}"})


def _digest(text: str) -> dict[str, str]:
    data = text.encode()
    return {"digest": f"{hashlib.sha256(data).hexdigest()} {len(data)}"}


CASES = [
    Case(
        "everywhere",
        texts,
        {
            "wrap": [{"said": f"{{{NASTY}}}"}, {"said": f"{{{{{NASTY}}}}}"}],
            "digest": [_digest(f"{{{NASTY}}}")],
            "digest-2": [_digest(f"<{{{{{NASTY}}}}}>")],
            "digest-3": [_digest(LONG)],
            "wrap-2": [{"said": "{{{a}}}"}, {"said": "{{}"}, {"said": "{$(b)}"}, {"said": "{{{}"}],
            "say": [{"said": "{{a}}"}],
            "show": [{"shown": '[["{{a}}", "{", "$(b)", "{{"], {"{{k}}": "$$"}]'}],
            "show-2": [{"shown": '[["{{{a}}}", "{{}", "{$(b)}", "{{{}"], {"{{": "}}"}]'}],
        },
        {"long": LONG, "several": ["{{a}}", "{", "$(b)", "{{"]},
    ),
]
