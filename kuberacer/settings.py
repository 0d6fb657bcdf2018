"""Settings that reach a stage by environment variables (a secret's keys on a cluster, the local runner here)."""

import os
from typing import Self

from pydantic import BaseModel, SecretStr

from kuberacer.errors import UserError


class StoreSettings(BaseModel):
    """Where the object store is. The names are those of the environment variables, lower case."""

    kuberacer_s3_endpoint: str | None = None  # None: Amazon S3 itself
    kuberacer_s3_bucket: str
    kuberacer_s3_region: str = "us-east-1"
    aws_access_key_id: SecretStr | None = None  # None: boto3's own chain (profile, instance role)
    aws_secret_access_key: SecretStr | None = None

    @classmethod
    def from_environment(cls) -> Self:
        """Raises UserError when no bucket is named."""
        found = {name: os.environ[name.upper()] for name in cls.model_fields if os.environ.get(name.upper())}
        if "kuberacer_s3_bucket" not in found:
            raise UserError(
                "no object store is configured: KUBERACER_S3_BUCKET is not set",
                "set KUBERACER_S3_BUCKET (and KUBERACER_S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), "
                "or use `make run-pipeline`, which brings its own store",
            )
        return cls.model_validate(found)

    def environment(self) -> dict[str, str]:
        """The environment variables that from_environment reads back."""
        values = {name.upper(): getattr(self, name) for name in type(self).model_fields}
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in values.items()
            if value is not None
        }
