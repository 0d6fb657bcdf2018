"""What --reward names, as one text that needs nothing beside it."""

import os
from collections.abc import Callable
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.formats.reward_document import MAX_BYTES, SUFFIXES, RewardDocument, is_document
from kuberacer.reward.source import DEFAULT_NAME

Beside = Callable[[str], bytes | None]


def read_reward(given: str) -> tuple[str, str]:
    """(the reward's text, its file's name for messages). given: a text, the path of a file, or an s3:// address.

    A document comes back with all of its files, and built. A text has no name; whoever has read it from a file may say
    so in KUBERACER_REWARD_NAME. Raises UserError."""
    data, name, beside = _find(given)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"reward {given[:200]} is not UTF-8 text: {error.reason} at byte {error.start}", "save it as UTF-8"
        ) from None
    if not is_document(text):
        if name.endswith(SUFFIXES):
            remedy = "begin it with the line kuberacer_reward: 1, as in docs/reward-languages.md"
            raise UserError(f"{name} does not say which version of the protocol its reward speaks", remedy)
        return text, name
    document = RewardDocument.parse(text, name)

    def fetch(file: str, address: str) -> bytes | None:
        return _from_store(address) if address else beside(file)

    from kuberacer.reward.program_folder import built

    return built(document.with_files(fetch)).to_text(), name


def _find(given: str) -> tuple[bytes, str, Beside]:
    """(content, name, what reads the files beside it)."""
    if given.startswith("s3://"):
        folder, _, name = given.rpartition("/")
        return _from_store(given), name, lambda file: _from_store(f"{folder}/{file}")
    path = Path(given) if "\n" not in given and len(given) < 4096 else None
    if path is not None and (given.endswith((".py", *SUFFIXES)) or path.is_file()):
        return _read(path), path.name, lambda file: _read(path.parent / file)
    name = Path(os.environ.get("KUBERACER_REWARD_NAME") or DEFAULT_NAME).name
    return given.encode(errors="surrogateescape"), name, lambda file: None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"reward {path} cannot be read: {error.strerror}", "check the path") from None


def _from_store(address: str) -> bytes:
    from kuberacer.settings import StoreSettings
    from kuberacer.store.client import ObjectStore, split_address

    bucket, key = split_address(address)
    settings = StoreSettings.from_environment().model_copy(update={"kuberacer_s3_bucket": bucket})
    store = ObjectStore(settings)
    size = store.size(key) or 0
    if size > MAX_BYTES:
        raise UserError(f"{address} has {size:,} bytes", f"at most {MAX_BYTES:,} are taken")
    return store.get_bytes(key)
