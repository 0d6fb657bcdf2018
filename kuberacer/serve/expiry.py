"""An endpoint on a cluster that has expired: its pods delete what they belong to, and with it all that it owns.

They have the right to delete this one object and no other (kuberacer/stages/endpoint_objects.py).
"""

import asyncio
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
AGAIN_S, TIMEOUT_S = 30.0, 10.0


async def delete_when_expired(path: str, expires_at: float) -> None:
    """path: of the object in the API server, below its namespace: apps/v1/deployments/name. Does not return."""
    while (left := expires_at - time.time()) > 0:
        await asyncio.sleep(min(left, 60.0))
    while True:
        fault = await asyncio.to_thread(delete, path)
        print(f"expired: {fault or f'{path} is being deleted'}", file=sys.stderr, flush=True)
        await asyncio.sleep(AGAIN_S)


def delete(path: str) -> str:
    """Ask the API server to delete an object of this pod's namespace; what went wrong, '' when nothing did."""
    try:
        namespace, token = (_account(name) for name in ("namespace", "token"))
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        group, version, plural, name = path.split("/")
        server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
        request = urllib.request.Request(
            f"{server}/apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}",
            json.dumps({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method="DELETE",
        )
        context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(request, timeout=TIMEOUT_S):
            return ""
    except urllib.error.HTTPError as error:
        return "" if error.code == 404 else f"the API server answers {error.code} to the deletion of {path}"
    except (OSError, KeyError, ValueError) as error:
        return f"the API server cannot be asked to delete {path}: {error}"


def _account(name: str) -> str:
    return (ACCOUNT / name).read_text(encoding="ascii").strip()
