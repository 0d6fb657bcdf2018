"""Models of this machine that a race names as rivals: stages find models in their store only."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from kuberacer.errors import UserError
from kuberacer.formats.yaml_input import Value, read_mapping

if TYPE_CHECKING:  # boto3 is slow to import
    from kuberacer.store.client import ObjectStore

KEY, METADATA = "MODEL_S3_PREFIX", "model_metadata.json"


def local_rivals(text: str, document: str) -> list[Path]:
    """The folders of this machine among a YAML's rivals; its first model is the one at hand and is not looked for."""
    return [Path(given) for given in _models(text, document)[1:] if given and Path(given).is_dir()]


def with_addresses(text: str, document: str, put: Callable[[Path], str]) -> str:
    """The YAML with an address for every rival that is a folder of this machine; put: folder -> address."""
    folders = local_rivals(text, document)
    if not folders:
        return text
    own, *rivals = _models(text, document)
    mapping = read_mapping(text, document)
    mapping[KEY] = (own, *(put(Path(given)) if Path(given) in folders else given for given in rivals))
    return _written(mapping)


def without(text: str, document: str, key: str) -> str:
    """The YAML without a key."""
    return _written({name: value for name, value in read_mapping(text, document).items() if name != key})


def _written(mapping: dict[str, Value]) -> str:
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in mapping.items()}
    return str(yaml.safe_dump(plain, sort_keys=False)) if plain else ""


def _models(text: str, document: str) -> tuple[str, ...]:
    found = read_mapping(text, document).get(KEY, "")
    return (found,) if isinstance(found, str) else found


def put_model(store: "ObjectStore", folder: Path) -> str:
    """The address, by its content, of a run's folder or a model's in the store.

    Raises UserError when it has no model."""
    model = folder if (folder / METADATA).is_file() else folder / "model"
    graphs = sorted(model.glob("model_*.pb"))
    if not (model / METADATA).is_file() or not graphs:
        raise UserError(
            f"{folder} has no published model: model/{METADATA} and a model_N.pb are needed",
            "name the folder of a run that has ended well, such as out/latest",
        )
    files = [file for file in (model / METADATA, *graphs, model / "deepracer_checkpoints.json") if file.is_file()]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    prefix = f"inputs/{digest.hexdigest()[:16]}"
    for file in files:
        store.put_file(f"{prefix}/model/{file.name}", file)
    return store.address(prefix)
