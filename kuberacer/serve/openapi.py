"""What /openapi.json says: the schema of requests, of what the policy sees."""

from typing import Any

from fastapi import FastAPI

from kuberacer.serve.observations import Requests
from kuberacer.serve.policy import Continuous, Discrete, Policy

_ERRORS = {
    "401": "A token is wanted.",
    "408": "The body did not come in time.",
    "410": "The endpoint has expired.",
    "413": "The body is too large.",
    "415": "The body is no JSON.",
    "422": "The body is no request of this model; `expected` says what one is.",
    "500": "The network does not answer.",
    "503": "Too much at once: try again.",
    "504": "No answer in time.",
}
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "expected": {"type": "object"}},
}


def describe(app: FastAPI, name: str, policy: Policy, requests: Requests) -> None:
    made: dict[str, Any] = {}

    def schema() -> dict[str, Any]:
        if not made:
            made.update(_schema(app, name, policy, requests))
        return made

    app.openapi = schema  # type: ignore[method-assign]


def _schema(app: FastAPI, name: str, policy: Policy, requests: Requests) -> dict[str, Any]:
    body = requests.schema()
    schemas = {**body.pop("$defs", {}), "PredictRequest": body, "Prediction": _prediction(policy), "Error": _ERROR}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}

    def operation(summary: str, answer: dict[str, Any], errors: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
        failed = {status: {"description": _ERRORS[status], "content": error} for status in ("401", *errors)}
        return {"summary": summary, "responses": {"200": {"description": "OK", **answer}, **failed}, **more}

    found = {"type": "object", "required": ["predictions"], "properties": {"predictions": {
        "type": "array", "items": {"$ref": "#/components/schemas/Prediction"}}}}  # fmt: skip
    asked = {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PredictRequest"}}},
    }
    ready = {"description": "Not ready.", "content": {"application/json": {"schema": {"type": "object"}}}}
    paths = {
        f"/v1/models/{name}:predict": {
            "post": operation(
                "What the policy does for each observation", _json(found), tuple(_ERRORS)[1:], requestBody=asked
            )
        },
        "/v1/models": {"get": operation("The names of the models: one", _json({"type": "object"}))},
        f"/v1/models/{name}": {"get": operation("What it sees, and what it can do", _json({"type": "object"}))},
        "/healthz": {"get": operation("200 while the server runs", _json({"type": "object"}), security=[])},
        "/readyz": {"get": operation("200 when predictions are answered", _json({"type": "object"}), security=[])},
        "/metrics": {"get": operation("For Prometheus", {"content": {"text/plain": {"schema": {"type": "string"}}}})},
    }
    paths["/readyz"]["get"]["responses"]["503"] = ready
    token = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": app.title,
            "version": app.version,
            "description": f"{policy.environment}, {policy.algorithm}",
        },
        "paths": paths,
        "security": [{"token": []}, {}],
        "components": {"schemas": schemas, "securitySchemes": {"token": token}},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _prediction(policy: Policy) -> dict[str, Any]:
    properties: dict[str, Any] = {"action": _action(policy.action)}
    if isinstance(policy.action, Discrete) and policy.action.meaning:
        properties["meaning"] = {"enum": list(dict.fromkeys(policy.action.meaning))}
    if policy.action.values if isinstance(policy.action, Discrete) else policy.action.meaning:
        properties["values"] = {"type": "object", "additionalProperties": {"type": "number"}}
    if policy.output != "action":
        properties[policy.output] = {"type": "array", "items": {"type": "number"}}
    return {"type": "object", "required": list(properties), "properties": properties}


def _action(action: Discrete | Continuous) -> dict[str, Any]:
    if isinstance(action, Discrete):
        return {"type": "integer", "minimum": 0, "maximum": action.n - 1}
    found: dict[str, Any] = {"type": "number"}
    for size in reversed(action.shape):
        found = {"type": "array", "items": found, "minItems": size, "maxItems": size}
    return found
