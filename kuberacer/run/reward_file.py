"""The user's reward as a pipeline parameter: one text with all of its files."""

from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.formats.reward_document import SUFFIXES, RewardDocument, is_document
from kuberacer.run.files import must_exist, read_user_file

LONGEST = 100_000  # bytes; Linux takes 128 KiB as one argument of a program


def reward_text(path: Path) -> str:
    """A Python file's text as it is; a document's with the files that lie beside it. Raises UserError."""
    text = read_user_file(path, "reward")
    if not is_document(text):
        if path.suffix in SUFFIXES:
            remedy = "begin it with the line kuberacer_reward: 1, as in docs/reward-languages.md"
            raise UserError(f"{path} does not say which version of the protocol its reward speaks", remedy)
        return text

    def beside(name: str, address: str) -> bytes | None:
        if address:
            return None  # the first stage fetches it
        must_exist(path.parent / name, "reward's")
        return (path.parent / name).read_bytes()

    packed = RewardDocument.parse(text, path.name).with_files(beside).to_text()
    if len(packed.encode()) > LONGEST:
        raise UserError(
            f"{path} and its files take {len(packed.encode()):,} bytes, at most {LONGEST:,} go into a parameter",
            "put the large ones into the object store, and name them: files: {name: s3://bucket/key}",
        )
    return packed
