"""The stages' command lines: one way to say what a stage takes, with an example."""

import argparse


def stage_parser(stage: str, description: str, example: str) -> argparse.ArgumentParser:
    """A parser whose --help ends with an example of the whole command."""
    return argparse.ArgumentParser(
        prog=f"python -m kuberacer.stages.{stage}",
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
