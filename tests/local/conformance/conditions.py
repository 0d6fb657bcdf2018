"""If, Elif and Else on a parameter and on a named output; OneOf takes the output of the branch that ran."""

from kfp import dsl

from conformance.case import Case
from conformance.steps import add, say


@dsl.pipeline(name="conditions")
def conditions(colour: str = "red", limit: int = 10, wanted: bool = True) -> str:
    total = add(a=limit, b=1).set_display_name("sum")
    with dsl.If(total.outputs["total"] > 20):
        big = say(text="big")
    with dsl.Elif(total.outputs["total"] > 5):
        middle = say(text=f"middle {total.outputs['total']}")
    with dsl.Else():
        small = say(text="small")
    chosen = dsl.OneOf(big.outputs["said"], middle.outputs["said"], small.outputs["said"])
    after = say(text=chosen)
    with dsl.If(colour == "red"), dsl.If(wanted == True):  # noqa: E712
        say(text=colour)
    return after.outputs["said"]


def _outputs(branch: str, said: str, total: int) -> dict:
    return {"add": [{"total": total}], branch: [{"said": said}], "say-4": [{"said": said}]}


CASES = [
    Case("if", conditions, _outputs("say", "big", 31) | {"say-5": [{"said": "red"}]}, {"limit": 30}),
    Case("elif", conditions, _outputs("say-2", "middle 11", 11), {"colour": "blue"}),
    Case("else", conditions, _outputs("say-3", "small", 0), {"limit": -1, "wanted": False}),
]
