"""ParallelFor over a constant list, a list of dictionaries, a parameter and an output; nested; outputs collected."""

from kfp import dsl

from conformance.case import IMAGE, Case
from conformance.steps import say


@dsl.container_component
def count_to(number: int, numbers: dsl.OutputPath(list)):
    program = "import json, sys; open(sys.argv[2], 'w').write(json.dumps(list(range(int(sys.argv[1])))))"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[number, numbers])


@dsl.container_component
def join(texts: list, joined: dsl.OutputPath(str)):
    program = "import json, sys; open(sys.argv[2], 'w').write('+'.join(sorted(json.loads(sys.argv[1]))))"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[texts, joined])


@dsl.container_component
def note(text: str, page: dsl.Output[dsl.Artifact]):
    program = "import sys; open(sys.argv[2], 'w').write(sys.argv[1])"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[text, page.path])


@dsl.container_component
def pair(letter: str, number: str, joined: dsl.OutputPath(str)):
    program = "import sys; open(sys.argv[3], 'w').write(sys.argv[1] + sys.argv[2])"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[letter, number, joined])


@dsl.pipeline(name="grid")
def grid(letter: str, numbers: list):
    with dsl.ParallelFor(numbers) as number:
        pair(letter=letter, number=number)


@dsl.pipeline(name="loops")
def loops(words: list = ["one", "two"], size: int = 3, table: list = [{"car": "red"}]):  # noqa: B006  only KFP reads it
    with dsl.ParallelFor(["a", "b"]) as letter:
        grid(letter=letter, numbers=[1, 2])
    with dsl.ParallelFor([{"car": "red", "laps": 3}, {"car": "blue", "laps": 4}]) as entry:
        pair(letter=entry.car, number=entry.laps)
    with dsl.ParallelFor(table) as row, dsl.If(row.car == "red"):
        say(text=row.car)
    with dsl.ParallelFor(words, parallelism=1) as word:
        said = say(text=word)
    join(texts=dsl.Collected(said.outputs["said"]))
    with dsl.ParallelFor(count_to(number=size).outputs["numbers"]) as index:
        note(text=index)
        with dsl.If(index == 1):
            say(text=f"one is {index}")


PAIRS = [{"joined": joined} for joined in ("a1", "a2", "b1", "b2", "red3", "blue4")]
CASES = [
    Case(
        "loops",
        loops,
        {
            "pair": PAIRS,
            "say": [{"said": "red"}],
            "say-2": [{"said": "one"}, {"said": "two"}],
            "join": [{"joined": "one+two"}],
            "count-to": [{"numbers": [0, 1, 2]}],
            "note": [{"page": "0"}, {"page": "1"}, {"page": "2"}],
            "say-3": [{"said": "one is 1"}],
        },
        {"table": [{"car": "red"}, {"car": "green"}]},
    ),
    Case(
        "no turns",
        loops,
        {
            "pair": PAIRS,
            "join": [{"joined": ""}],
            "count-to": [{"numbers": []}],
        },
        {"table": [], "words": [], "size": 0},
    ),
]
