"""Asks an image registry whether it has an image: the one call of its API that Buildah does not offer.

A registry is named as it stands in an image's name (registry.example/team), or http://… where it speaks plain HTTP.
Standard library only: the builder's image has nothing else.
"""

import base64
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from kuberacer.errors import UserError

ANSWER_S = 20
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
_REGISTRY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")


@dataclass(frozen=True)
class Registry:
    """host: with port. path: the repositories' common beginning, may be empty. plain: speaks HTTP without TLS."""

    host: str
    path: str
    plain: bool

    @classmethod
    def parse(cls, text: str) -> "Registry":
        """Raises UserError for what is no registry's name."""
        scheme, _, rest = text.rpartition("://")
        rest = rest.rstrip("/")
        host, _, path = rest.partition("/")
        if (
            scheme not in ("", "http", "https")
            or not _REGISTRY.fullmatch(rest)
            or not re.search(r"[.:]|^localhost$", host)
        ):
            raise UserError(
                f"{text!r} is not the name of a registry",
                "write it as registry.example/team, or as http://registry.example:5000 where it has no TLS",
            )
        return cls(host, path, scheme == "http")

    def image(self, name: str) -> str:
        """The image's name in this registry."""
        return "/".join(part for part in (self.host, self.path, name) if part)

    def digest(self, image: str, credentials: Path | None = None) -> str | None:
        """Digest of `image` (a name that image() made, with a tag); None when it is not there.

        credentials: a docker configuration file. Raises UserError when the registry is away or refuses.
        """
        repository, _, tag = image.removeprefix(f"{self.host}/").rpartition(":")
        address = f"{'http' if self.plain else 'https'}://{self.host}/v2/{repository}/manifests/{tag}"
        known = read_credentials(credentials, self.host)
        try:
            return self._head(address, f"Basic {known}" if known else None)
        except urllib.error.HTTPError as error:
            challenge = error.headers.get("WWW-Authenticate", "")
            if error.code != 401 or not challenge.lower().startswith("bearer"):
                raise self._refused(error) from None
        try:
            return self._head(address, f"Bearer {fetch_token(challenge, known)}")
        except urllib.error.HTTPError as error:
            raise self._refused(error) from None

    def _head(self, address: str, authorization: str | None) -> str | None:
        headers = {"Accept": MANIFESTS, **({"Authorization": authorization} if authorization else {})}
        request = urllib.request.Request(address, method="HEAD", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
                return answer.headers["Docker-Content-Digest"]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        except OSError as error:
            raise UserError(
                f"the registry {self.host} cannot be reached: {getattr(error, 'reason', error)}",
                "check its name, and write http:// before it where it has no TLS",
            ) from None

    def _refused(self, error: urllib.error.HTTPError) -> UserError:
        return UserError(
            f"the registry {self.host} refuses: {error.code} {error.reason}",
            "put credentials for it into the secret kuberacer-registry of the build namespace",
        )


def read_credentials(path: Path | None, host: str) -> str | None:
    """What a docker configuration has for the host, as `Basic` wants it."""
    if path is None or not path.is_file():
        return None
    entry = json.loads(path.read_text(encoding="utf-8")).get("auths", {}).get(host, {})
    if "auth" in entry:
        return entry["auth"]
    if "username" in entry:
        return base64.b64encode(f"{entry['username']}:{entry.get('password', '')}".encode()).decode()
    return None


def fetch_token(challenge: str, known: str | None) -> str:
    """The token that the registry's `WWW-Authenticate: Bearer …` asks for."""
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = fields.pop("realm", "")
    if not realm.startswith(("https://", "http://")):
        raise UserError(f"the registry asks for a token of {realm!r}", "check the registry")
    request = urllib.request.Request(f"{realm}?{urllib.parse.urlencode(fields)}")
    if known:
        request.add_header("Authorization", f"Basic {known}")
    with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
        body = json.load(answer)
    return body.get("token") or body["access_token"]
