"""Small pipelines whose outputs are the same wherever they run: in local processes, on Argo Workflows, on KFP.

Each module defines CASES. Every step runs plain `python -c` in any image that has Python, and its task has a name
that tells which step ran.
"""
