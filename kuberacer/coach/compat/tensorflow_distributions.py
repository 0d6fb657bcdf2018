"""tf.contrib.distributions.MultivariateNormalDiag on the Normal distribution that TensorFlow still has."""

from typing import Any

from kuberacer.coach.compat.tensorflow_names import tf


class MultivariateNormalDiag(tf.distributions.Distribution):  # type: ignore[name-defined]
    """A normal distribution with independent axes: means (…, k), standard deviations (…, k)."""

    def __init__(self, loc: Any, scale_diag: Any, name: str = "MultivariateNormalDiag"):
        with tf.name_scope(name):
            self.axes = tf.distributions.Normal(loc, scale_diag, validate_args=False)
        super().__init__(
            dtype=self.axes.dtype,
            validate_args=False,
            allow_nan_stats=True,
            reparameterization_type=tf.distributions.FULLY_REPARAMETERIZED,
            name=name,
        )

    def sample(self, sample_shape: Any = (), seed: int | None = None, name: str = "sample") -> Any:
        return self.axes.sample(sample_shape, seed=seed)

    def log_prob(self, value: Any, name: str = "log_prob") -> Any:
        return tf.reduce_sum(self.axes.log_prob(value), axis=-1)

    def prob(self, value: Any, name: str = "prob") -> Any:
        return tf.exp(self.log_prob(value))

    def entropy(self, name: str = "entropy") -> Any:
        return tf.reduce_sum(self.axes.entropy(), axis=-1)

    def mean(self, name: str = "mean") -> Any:
        return self.axes.mean()

    def stddev(self, name: str = "stddev") -> Any:
        return self.axes.stddev()


@tf.distributions.RegisterKL(MultivariateNormalDiag, MultivariateNormalDiag)
def _divergence(a: MultivariateNormalDiag, b: MultivariateNormalDiag, name: str | None = None) -> Any:
    return tf.reduce_sum(tf.distributions.kl_divergence(a.axes, b.axes), axis=-1)
