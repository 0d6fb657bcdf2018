"""python serve_store.py FOLDER: a run's own object store, for as long as its input is open; says how to reach it."""

import json
import sys
from pathlib import Path

from kuberacer.run.store import object_store

if __name__ == "__main__":
    with object_store(Path(sys.argv[1])) as store:
        print(json.dumps({**store.environment, "bucket": store.objects.bucket}), flush=True)
        sys.stdin.read()
