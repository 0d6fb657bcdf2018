"""A step that fails until some time has passed and then succeeds, and one that always fails."""

from kfp import dsl

from conformance.case import IMAGE, Case
from conformance.steps import fail, say


@dsl.container_component
def soon(ready_at: dsl.OutputPath(float)):
    """The time of day a second from now: what the next step waits for is known to it alone, on any machine."""
    program = "import sys, time; open(sys.argv[1], 'w').write(repr(time.time() + 1))"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[ready_at])


@dsl.container_component
def not_before(ready_at: float, said: dsl.OutputPath(str)):
    program = (
        "import sys, time\n"
        "if time.time() < float(sys.argv[1]): sys.exit('too early')\n"
        "open(sys.argv[2], 'w').write('in time')"
    )
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[ready_at, said])


@dsl.pipeline(name="retries")
def retries():
    ready = soon().set_caching_options(False)
    task = not_before(ready_at=ready.outputs["ready_at"]).set_caching_options(False)
    task.set_retry(num_retries=5, backoff_duration="1s", backoff_factor=1)
    say(text=task.outputs["said"])


@dsl.pipeline(name="retries-used-up")
def retries_used_up():
    task = fail(message="again").set_retry(num_retries=1, backoff_duration="0s").set_caching_options(False)
    say(text="never").after(task)


class _AnyTime(float):
    """Equal to every number: what the clock said cannot be written down here."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float)

    __hash__ = float.__hash__


CASES = [
    Case(
        "a later attempt",
        retries,
        {"soon": [{"ready_at": _AnyTime()}], "not-before": [{"said": "in time"}], "say": [{"said": "in time"}]},
    ),
    Case("used up", retries_used_up, {}, failed=("fail",)),
]
