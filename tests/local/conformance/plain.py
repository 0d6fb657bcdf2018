"""What every Kubeflow Pipelines since 2.0 can do: branches, loops, an exit handler, values, secrets, long texts.

The other modules also hold what its older servers refuse (tests/cluster/test_conformance_kfp.py says which and why).
"""

from kfp import dsl, kubernetes

from conformance.case import IMAGE, Case
from conformance.loops import count_to, pair
from conformance.placeholders import write_values
from conformance.steps import add, fail, say


@dsl.pipeline(name="branches")
def branches(limit: int = 10, colour: str = "red", wanted: bool = True):
    total = add(a=limit, b=1)
    with dsl.If(total.outputs["total"] > 20):
        say(text="big")
    with dsl.Elif(total.outputs["total"] > 5):
        say(text="middle")
    with dsl.Else():
        say(text="small")
    with dsl.If(colour == "red"), dsl.If(wanted == True):  # noqa: E712
        say(text=colour)


@dsl.pipeline(name="at-the-end")
def at_the_end(stumble: str = "no"):
    with dsl.ExitHandler(say(text="the end").set_caching_options(False)):
        during = say(text="during")
        with dsl.If(stumble == "yes"):
            failed = fail(message="on purpose").after(during)
            say(text="never").after(failed)


@dsl.pipeline(name="turns")
def turns(words: list = ["one", "two"], size: int = 3):  # noqa: B006  only KFP reads it
    with dsl.ParallelFor(["a", "b"]) as letter, dsl.ParallelFor(["1", "2"]) as number:
        pair(letter=letter, number=number)
    with dsl.ParallelFor([{"car": "red", "laps": "3"}, {"car": "blue", "laps": "4"}]) as entry:
        pair(letter=entry.car, number=entry.laps)
    with dsl.ParallelFor(words) as word:
        say(text=word)
    with dsl.ParallelFor(count_to(number=size).outputs["numbers"]) as index, dsl.If(index == 1):
        say(text=index)


@dsl.container_component
def measure(text: str, length: dsl.OutputPath(int), ends: dsl.OutputPath(str)):
    program = (
        "import sys; _, text, length, ends = sys.argv\n"
        "open(length, 'w').write(str(len(text))); open(ends, 'w').write(text[-9:])"
    )
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[text, length, ends])


@dsl.pipeline(name="values")
def values(text: str, long: str, name: str = "", real: float = 2.0, several: list = []):  # noqa: B006
    write_values(text=text, whole=3, real=real, truth=True, several=several, table={"k": [1, 2]})
    measure(text=long)
    say(text=name)


@dsl.container_component
def look_around(word: dsl.OutputPath(str)):
    program = "import os, sys; open(sys.argv[1], 'w').write(os.environ.get('WORD', 'none'))"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[word])


@dsl.pipeline(name="secret")
def secret():
    task = look_around().set_caching_options(False)
    kubernetes.use_secret_as_env(task, "conformance", {"word": "WORD"})
    kubernetes.add_node_selector(task, "kubernetes.io/os", "linux")
    task.set_cpu_request("10m").set_memory_request("16Mi").set_memory_limit("256Mi")


TEXT = "a 'quoted' \"line\"\n{{x}} $HOME ü"
REWARD = "# a line of a reward function, with 'quotes' and a \\ in it\n" * 1695 + "# the end"  # 100 kB
CASES = [
    Case(
        "big", branches, {"add": [{"total": 31}], "say": [{"said": "big"}], "say-4": [{"said": "red"}]}, {"limit": 30}
    ),
    Case("middle", branches, {"add": [{"total": 11}], "say-2": [{"said": "middle"}]}, {"colour": "blue"}),
    Case("small", branches, {"add": [{"total": 0}], "say-3": [{"said": "small"}]}, {"limit": -1, "wanted": False}),
    Case("end", at_the_end, {"say-2": [{"said": "during"}], "say": [{"said": "the end"}]}),
    Case(
        "end after a failure",
        at_the_end,
        {"say-2": [{"said": "during"}], "say": [{"said": "the end"}]},
        {"stumble": "yes"},
        failed=("fail",),
    ),
    Case(
        "turns",
        turns,
        {
            "pair": [{"joined": joined} for joined in ("a1", "a2", "b1", "b2")],
            "pair-2": [{"joined": joined} for joined in ("red3", "blue4")],
            "say": [{"said": "left"}],
            "count-to": [{"numbers": [0, 1]}],
            "say-2": [{"said": "1"}],
        },
        {"words": ["left"], "size": 2},
    ),
    Case(
        "values",
        values,
        {
            "write-values": [{"line": TEXT + '|3|0.5|true|["a", 1]|{"k": [1, 2]}'}],
            "measure": [{"length": len(REWARD), "ends": "# the end"}],
            "say": [{"said": ""}],
        },
        {"text": TEXT, "long": REWARD, "real": 0.5, "several": ["a", 1]},
    ),
]
# Where the cluster has the secret and where a local process has the variable is the tests' affair.
ON_A_CLUSTER = [Case("secret", secret, {"look-around": [{"word": "secret"}]})]
