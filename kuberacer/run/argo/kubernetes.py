"""Where and how the pods of a step run: kfp-kubernetes' settings as fields of an Argo template."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kuberacer.errors import UserError


@dataclass
class PodFields:
    """Fields of a template and of its container, as Kubernetes names them."""

    env: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    template: dict[str, Any] = field(default_factory=dict)
    container: dict[str, Any] = field(default_factory=dict)

    def mount(self, volume: dict[str, Any], path: str, **how: Any) -> None:
        name = f"volume-{len(self.volumes)}"
        self.volumes.append({"name": name, **volume})
        self.mounts.append({"name": name, "mountPath": path, **how})


def pod_fields(settings: Mapping[str, Any], where: str) -> PodFields:
    """Raises UserError naming a setting that the translator does not know."""
    fields = PodFields()
    for name, setting in settings.items():
        if name not in _SETTINGS:
            raise UserError(
                f"{where}: {name} is not translated to Argo",
                "leave it out of the pipeline, or run the pipeline on Kubeflow Pipelines itself",
            )
        _SETTINGS[name](fields, setting, f"{where}: {name}")
    return fields


def _constant(setting: Mapping[str, Any], key: str, where: str) -> str:
    """A name that older specs hold as a text and newer ones also as a parameter, which must be a constant."""
    parameter = setting.get(f"{key}Parameter")
    if parameter is None:
        return str(setting[key])
    constant = parameter.get("runtimeValue", {}).get("constant")
    if not isinstance(constant, str) or "{{$" in constant:
        raise UserError(f"{where}: the name comes from a parameter", "write the name into the pipeline")
    return constant


def _secret_env(fields: PodFields, setting: list[Mapping[str, Any]], where: str) -> None:
    _env_from(fields, setting, where, "secret")


def _config_map_env(fields: PodFields, setting: list[Mapping[str, Any]], where: str) -> None:
    _env_from(fields, setting, where, "configMap")


def _env_from(fields: PodFields, setting: list[Mapping[str, Any]], where: str, kind: str) -> None:
    for source in setting:
        name = _constant(source, f"{kind}Name", where)
        for pair in source.get("keyToEnv", []):
            reference = {"name": name, "key": pair[f"{kind}Key"]}
            if "optional" in source:
                reference["optional"] = source["optional"]
            fields.env.append({"name": pair["envVar"], "valueFrom": {f"{kind}KeyRef": reference}})


def _field_env(fields: PodFields, setting: list[Mapping[str, Any]], where: str) -> None:
    for one in setting:
        fields.env.append({"name": one["name"], "valueFrom": {"fieldRef": {"fieldPath": one["fieldPath"]}}})


def _secret_volume(fields: PodFields, setting: list[Mapping[str, Any]], where: str) -> None:
    for one in setting:
        volume = {"secretName": _constant(one, "secretName", where), "optional": one.get("optional", False)}
        fields.mount({"secret": volume}, one["mountPath"], readOnly=True)


def _config_map_volume(fields: PodFields, setting: list[Mapping[str, Any]], where: str) -> None:
    for one in setting:
        volume = {"name": _constant(one, "configMapName", where), "optional": one.get("optional", False)}
        fields.mount({"configMap": volume}, one["mountPath"], readOnly=True)


def _claim(fields: PodFields, setting: list[Mapping[str, Any]], where: str) -> None:
    for one in setting:
        if "taskOutputParameter" in one or "componentInputParameter" in one:
            raise UserError(f"{where}: the name comes from a parameter", "write the name into the pipeline")
        key = "pvcName" if "pvcNameParameter" in one else "constant"
        how = {"subPath": one["subPath"]} if one.get("subPath") else {}
        fields.mount({"persistentVolumeClaim": {"claimName": _constant(one, key, where)}}, one["mountPath"], **how)


def _empty_dirs(fields: PodFields, setting: list[Mapping[str, Any]], where: str) -> None:
    for one in setting:
        volume = {key: one[key] for key in ("medium", "sizeLimit") if one.get(key)}
        fields.mount({"emptyDir": volume}, one["mountPath"])


def _shared_memory(fields: PodFields, setting: Mapping[str, Any], where: str) -> None:
    size = {"sizeLimit": setting["size"]} if setting.get("size") else {}
    fields.mount({"emptyDir": {"medium": "Memory", **size}}, "/dev/shm")


def _node_selector(fields: PodFields, setting: Mapping[str, Any], where: str) -> None:
    if "nodeSelectorJson" in setting:
        raise UserError(f"{where}: its labels come from a parameter", "write the labels into the pipeline")
    fields.template["nodeSelector"] = dict(setting.get("labels", {}))


def _tolerations(fields: PodFields, setting: list[Mapping[str, Any]], where: str) -> None:
    if any("tolerationJson" in one for one in setting):
        raise UserError(f"{where}: one comes from a parameter", "write the toleration into the pipeline")
    fields.template["tolerations"] = [
        # int64 is a text in protobuf's JSON
        {key: int(value) if key == "tolerationSeconds" else value for key, value in one.items()}
        for one in setting
    ]


def _metadata(fields: PodFields, setting: Mapping[str, Any], where: str) -> None:
    fields.template["metadata"] = {key: dict(setting[key]) for key in ("labels", "annotations") if key in setting}


def _pull_policy(fields: PodFields, setting: str, where: str) -> None:
    fields.container["imagePullPolicy"] = setting


def _deadline(fields: PodFields, setting: Any, where: str) -> None:
    fields.template["activeDeadlineSeconds"] = int(setting)


_SETTINGS: dict[str, Callable[[PodFields, Any, str], None]] = {
    "secretAsEnv": _secret_env,
    "configMapAsEnv": _config_map_env,
    "fieldPathAsEnv": _field_env,
    "secretAsVolume": _secret_volume,
    "configMapAsVolume": _config_map_volume,
    "pvcMount": _claim,
    "emptyDirMounts": _empty_dirs,
    "enabledSharedMemory": _shared_memory,
    "nodeSelector": _node_selector,
    "tolerations": _tolerations,
    "podMetadata": _metadata,
    "imagePullPolicy": _pull_policy,
    "activeDeadlineSeconds": _deadline,
}
