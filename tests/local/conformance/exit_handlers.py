"""An exit handler runs after success and after failure, and is told which; what follows a failed step does not run."""

from kfp import dsl

from conformance.case import IMAGE, Case
from conformance.steps import fail, say


@dsl.container_component
def report(status: dsl.PipelineTaskFinalStatus, state: dsl.OutputPath(str)):
    program = "import json, sys; open(sys.argv[2], 'w').write(json.loads(sys.argv[1])['state'])"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[status, state])


@dsl.pipeline(name="exit-handlers")
def exit_handlers(state: str = "whole"):
    before = say(text="before")
    done = report().set_caching_options(False)
    with dsl.ExitHandler(done):
        during = say(text=before.outputs["said"])
        with dsl.If(during.outputs["said"] == state):
            failed = fail(message="on purpose")
            say(text="never").after(failed)


_RAN = {"say": [{"said": "before"}], "say-2": [{"said": "before"}]}
CASES = [
    Case("success", exit_handlers, _RAN | {"report": [{"state": "SUCCEEDED"}]}),
    Case("failure", exit_handlers, _RAN | {"report": [{"state": "FAILED"}]}, {"state": "before"}, failed=("fail",)),
]
