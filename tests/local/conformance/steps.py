"""Container components that the conformance pipelines share."""

from kfp import dsl

from conformance.case import IMAGE

WRITE = "import sys; open(sys.argv[2], 'w').write(sys.argv[1])"


@dsl.container_component
def say(text: str, said: dsl.OutputPath(str)):
    """Writes its text to its output parameter."""
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", WRITE], args=[text, said])


@dsl.container_component
def add(a: int, b: int, total: dsl.OutputPath(int)):
    """Adds two whole numbers."""
    program = "import sys; open(sys.argv[3], 'w').write(str(int(sys.argv[1]) + int(sys.argv[2])))"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[a, b, total])


@dsl.container_component
def fail(message: str):
    """Prints its message and exits with status 3."""
    program = "import sys; print('error:', sys.argv[1], file=sys.stderr); sys.exit(3)"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[message])
