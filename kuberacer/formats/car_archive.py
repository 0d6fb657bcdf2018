"""The car's `model.tar.gz`: `agent/model.pb`, the frozen graph, and `model_metadata.json`; exactly one .pb."""

import gzip
import io
import tarfile
from pathlib import Path

GRAPH, METADATA = "agent/model.pb", "model_metadata.json"


def write_car_archive(path: Path, graph: bytes, metadata: bytes) -> None:
    """The same graph and metadata give the same bytes: no times, no owners."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as raw,
        # level 1: weights hardly shrink, and higher levels take ten times as long
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, data in ((GRAPH, graph), (METADATA, metadata)):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
