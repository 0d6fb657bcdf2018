"""The object store: an S3 bucket, by boto3, with errors that a person can act on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.exceptions import RetriesExceededError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from kuberacer.errors import UserError
from kuberacer.settings import StoreSettings

MISSING = {"NoSuchKey", "404", "NotFound"}
DENIED = {
    "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403", "Forbidden", "ExpiredToken", "InvalidToken",
}  # fmt: skip
FULL = {"InsufficientStorage", "507", "QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity"}
OWN_BUCKET = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
# Each part has attempts of its own: a long download survives a store, or a way to it, that goes away for a moment.
IN_PARTS = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20, max_concurrency=4)
DELETE_BATCH = 1000  # S3's limit
PIECE = 256 << 10  # bytes


class NotFoundError(UserError):
    """There is no such object."""


class TooLargeError(UserError):
    """The object has more bytes than were wanted."""


class AwayError(UserError):
    """The store does not answer, is full or cannot do it now: waiting may help."""


@dataclass(frozen=True)
class Entry:
    """An object as a listing has it. modified: seconds since the epoch."""

    key: str
    size: int
    modified: float


class ObjectStore:
    """One bucket. Keys are relative to it. Every method raises UserError when the store refuses or is away.

    timeout_s: how long to wait for an answer; attempts: at each request, with pauses in between.
    """

    def __init__(self, settings: StoreSettings, timeout_s: float = 60, attempts: int = 4):
        self.settings = settings
        self.bucket = settings.kuberacer_s3_bucket
        self.place = settings.kuberacer_s3_endpoint or f"Amazon S3 ({settings.kuberacer_s3_region})"
        try:
            self.client = make_client(settings, timeout_s, attempts)
        except (BotoCoreError, ValueError) as error:
            raise UserError(
                f"the settings of the object store are no good: {first_line(error)}",
                "check KUBERACER_S3_ENDPOINT, KUBERACER_S3_REGION and the AWS_* variables",
            ) from error

    def put_bytes(self, key: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        self._call("put_object", key, Bucket=self.bucket, Key=key, Body=data, ContentType=content_type)

    def put_file(self, key: str, path: Path, content_type: str = "application/octet-stream") -> None:
        """One request, so that an object is whole or not there; S3 takes at most 5 GB in one."""
        try:
            with path.open("rb") as file:
                self._call("put_object", key, Bucket=self.bucket, Key=key, Body=file, ContentType=content_type)
        except OSError as error:
            raise UserError(
                f"{path} cannot be read: {error.strerror or error}", "check the file and the disk"
            ) from error

    def get_bytes(self, key: str, most: int | None = None) -> bytes:
        """Raises NotFoundError when there is no such object, TooLargeError when it has more than `most`
        bytes."""
        answer = self._call("get_object", key, Bucket=self.bucket, Key=key)
        if most is not None and answer["ContentLength"] > most:
            answer["Body"].close()
            raise TooLargeError(
                f"{self.address(key)} has {answer['ContentLength']:,} bytes, more than {most:,}", "see what wrote it"
            )
        try:
            return answer["Body"].read()
        except (BotoCoreError, HTTPClientError, OSError) as error:
            raise self._explain(error, "get_object", key) from error

    def part(self, key: str, first: int, last: int) -> Iterator[bytes]:
        """The bytes from `first` to `last`, both included, piece by piece as they come."""
        answer = self._call("get_object", key, Bucket=self.bucket, Key=key, Range=f"bytes={first}-{last}")
        try:
            yield from answer["Body"].iter_chunks(PIECE)
        except (BotoCoreError, HTTPClientError, OSError) as error:
            raise self._explain(error, "get_object", key) from error
        finally:
            answer["Body"].close()

    def get_file(self, key: str, path: Path) -> None:
        """Write the object to `path`, making its folder; nothing is left there when it fails."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        try:
            self.client.download_file(self.bucket, key, str(partial), Config=IN_PARTS)
            partial.replace(path)
        except (ClientError, BotoCoreError, HTTPClientError) as error:
            raise self._explain(error, "get_object", key) from error
        except RetriesExceededError as error:
            raise self._explain(error.last_exception, "get_object", key) from error
        except OSError as error:
            raise UserError(
                f"{path} cannot be written: {error.strerror or error}", "check the folder and the disk"
            ) from error
        finally:
            partial.unlink(missing_ok=True)

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys that begin with `prefix`, in order."""
        return (entry.key for entry in self.entries(prefix))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """The objects whose keys begin with `prefix`, in their order."""
        token: dict[str, str] = {}
        while True:
            answer = self._call("list_objects_v2", prefix, Bucket=self.bucket, Prefix=prefix, **token)
            for found in answer.get("Contents", ()):
                yield Entry(found["Key"], found["Size"], found["LastModified"].timestamp())
            if not answer.get("IsTruncated"):
                return
            token = {"ContinuationToken": answer["NextContinuationToken"]}

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The folders directly below `prefix` ("" or one with a slash at its end), in order, without their slash."""
        token: dict[str, str] = {}
        while True:
            answer = self._call("list_objects_v2", prefix, Bucket=self.bucket, Prefix=prefix, Delimiter="/", **token)
            yield from (entry["Prefix"].removesuffix("/") for entry in answer.get("CommonPrefixes", ()))
            if not answer.get("IsTruncated"):
                return
            token = {"ContinuationToken": answer["NextContinuationToken"]}

    def size(self, key: str) -> int | None:
        """Bytes of the object; None when there is no such object."""
        try:
            return self._call("head_object", key, Bucket=self.bucket, Key=key)["ContentLength"]
        except NotFoundError:
            return None

    def age(self, key: str) -> float | None:
        """Seconds since the object was written, by the store's own clock; None when there is no such object."""
        try:
            answer = self._call("head_object", key, Bucket=self.bucket, Key=key)
        except NotFoundError:
            return None
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return max(0.0, (now - answer["LastModified"]).total_seconds())

    def exists(self, key: str) -> bool:
        return self.size(key) is not None

    def delete(self, key: str) -> None:
        """Deleting what is not there is no error."""
        self._call("delete_object", key, Bucket=self.bucket, Key=key)

    def delete_all(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), DELETE_BATCH):
            batch = [{"Key": key} for key in keys[start : start + DELETE_BATCH]]
            answer = self._call("delete_objects", "", Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True})
            for fault in answer.get("Errors", ()):
                raise UserError(
                    f"{fault.get('Key')} cannot be deleted from {self.place}: {fault.get('Message')}",
                    "check the rights of these credentials",
                )

    def delete_prefix(self, prefix: str) -> int:
        """Delete every object whose key begins with `prefix`; returns how many there were."""
        if not prefix:
            raise ValueError("an empty prefix would empty the bucket")
        keys = list(self.list(prefix))
        self.delete_all(keys)
        return len(keys)

    def create_bucket(self) -> None:
        """Make the bucket; nothing happens when it is there."""
        try:
            self.client.create_bucket(Bucket=self.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in OWN_BUCKET:
                raise self._explain(error, "create_bucket", "") from error
        except (BotoCoreError, HTTPClientError) as error:
            raise self._explain(error, "create_bucket", "") from error

    def address(self, key: str) -> str:
        """The s3:// address of a key."""
        return f"s3://{self.bucket}/{key}"

    def _call(self, operation: str, key: str, **arguments: Any) -> Any:
        try:
            return getattr(self.client, operation)(**arguments)
        except (ClientError, BotoCoreError, HTTPClientError) as error:
            raise self._explain(error, operation, key) from error

    def _explain(self, error: BaseException, operation: str, key: str) -> UserError:
        """What went wrong, as a UserError."""
        what = operation.replace("_", " ") + (f" {key}" if key else "")
        if isinstance(error, (ConnectionError, HTTPClientError)):
            return AwayError(
                f"the object store at {self.place} cannot be reached ({what}): {first_line(error)}",
                "check that it runs and that KUBERACER_S3_ENDPOINT is right, then start again: finished work is kept",
            )
        if not isinstance(error, ClientError):
            return UserError(
                f"the object store at {self.place} failed ({what}): {first_line(error)}", "see the message"
            )
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if code == "NoSuchBucket":
            return UserError(
                f"there is no bucket {self.bucket!r} at {self.place}",
                "make it, or set KUBERACER_S3_BUCKET to one that is there",
            )
        if code in MISSING:
            return NotFoundError(
                f"there is no object {self.address(key)} at {self.place}", "check the address or the run's name"
            )
        if code in FULL or status == 507:
            return AwayError(
                f"the object store at {self.place} is full ({what})", "free some space there, then start again"
            )
        if code in DENIED or status == 403:
            return UserError(
                f"the object store at {self.place} denies {what}: {code}",
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do in the bucket",
            )
        if status is not None and status >= 500:
            return AwayError(
                f"the object store at {self.place} cannot do it ({what}): {first_line(error)}",
                "see whether its disk is full and what its log says, then start again: finished work is kept",
            )
        return UserError(f"the object store at {self.place} refuses {what}: {first_line(error)}", "see the message")


def make_client(settings: StoreSettings, timeout_s: float = 60, attempts: int = 4) -> Any:
    """A boto3 S3 client for any S3 store."""
    endpoint = settings.kuberacer_s3_endpoint
    local = endpoint is not None and urlsplit(endpoint).hostname in ("127.0.0.1", "localhost")
    s3: dict[str, Any] = {"addressing_style": "path"} if endpoint else {}
    if local:  # nobody can change a request on its way, and a digest of 140 MB is not free
        s3["payload_signing_enabled"] = False
    key, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.kuberacer_s3_region,
        aws_access_key_id=key.get_secret_value() if key else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            retries={"total_max_attempts": attempts, "mode": "standard"},
            # While a request is sent, urllib3 takes the connect timeout for each write, too.
            connect_timeout=min(timeout_s, 20),
            read_timeout=timeout_s,
            # botocore's newer checksums are trailers that some S3 servers store as part of the object.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3=s3,
            proxies={} if local else None,  # a company's proxy cannot reach this machine's loopback
        ),
    )


def split_address(address: str) -> tuple[str, str]:
    """`s3://bucket/key` -> (bucket, key). Raises UserError when it is no such address."""
    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket or not key:
        raise UserError(f"{address!r} is not the address of an object", "write it as s3://bucket/path/of/the/object")
    return bucket, key


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
