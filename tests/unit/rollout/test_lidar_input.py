"""What a network sees of a scan: DeepRacer's rules, by their definition and by hand."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import LidarConfig
from kuberacer.rollout.lidar_input import lidar_input, nearest_distances


def with_lidar(lidar: str, **config: float) -> ModelMetadata:
    actions = [{"steering_angle": angle, "speed": 1} for angle in (-20, 20)]
    text = {
        "action_space": actions,
        "sensor": ["FRONT_FACING_CAMERA", lidar],
        **({"lidar_config": config} if config else {}),
    }
    return ModelMetadata.parse(json.dumps(text))


metres = st.one_of(
    st.floats(0.15625, 12.0, width=32), st.just(np.float32(np.inf)), st.sampled_from([0.25, 0.5, 1.0, 2.0])
)
scans = arrays(np.float32, (3, 64), elements=metres)
configs = st.builds(LidarConfig, st.sampled_from([1, 2, 4, 8, 16, 32, 64]), st.integers(1, 40), st.floats(0.15, 12.0))


@given(scans)
def test_lidar_is_the_distances_up_to_a_metre(ranges: np.ndarray) -> None:
    seen = lidar_input(ranges, with_lidar("LIDAR"))
    assert seen.dtype == np.float32
    np.testing.assert_array_equal(seen, np.minimum(ranges, np.float32(1.0)))


def test_lidar_shows_nothing_nearer_than_it_can_measure() -> None:
    assert lidar_input(np.full(64, 0.01, np.float32), with_lidar("LIDAR"))[0] == np.float32(0.15)


@given(scans)
def test_a_sector_is_set_where_something_is_nearer_than_half_a_metre(ranges: np.ndarray) -> None:
    seen = lidar_input(ranges, with_lidar("SECTOR_LIDAR", num_sectors=16))  # which is the other lidar's
    assert seen.shape == (3, 8)
    np.testing.assert_array_equal(seen, [[(row[8 * k : 8 * k + 8] < 0.5).any() for k in range(8)] for row in ranges])


@given(scans, configs)
def test_a_sectors_distance_is_one_of_its_values_or_none(ranges: np.ndarray, config: LidarConfig) -> None:
    seen = nearest_distances(ranges, config).reshape(3, config.num_sectors, config.num_values_per_sector)
    nearest = ranges.reshape(3, config.num_sectors, -1).min(axis=2).astype(float)
    assert set(np.unique(seen)) <= {0.0, 1.0}
    np.testing.assert_array_equal(seen.sum(axis=2), nearest < config.clipping_dist)
    share = config.clipping_dist / config.num_values_per_sector
    for car, sector, value in np.argwhere(seen):
        assert share * value - 1e-6 <= nearest[car, sector] <= share * (value + 1) + 1e-6


def test_a_scan_made_by_hand() -> None:
    ranges = np.full(64, 12.0, np.float32)
    ranges[3], ranges[9], ranges[63] = 0.2, 1.0, 1.999
    metadata = with_lidar("DISCRETIZED_SECTOR_LIDAR", num_sectors=8, num_values_per_sector=4, clipping_dist=2.0)
    seen = lidar_input(ranges, metadata).reshape(8, 4)
    assert seen[0].tolist() == [1, 0, 0, 0]
    assert seen[1].tolist() == [0, 0, 1, 0], "a share begins with its lower end"
    assert not seen[2:7].any()
    assert seen[7].tolist() == [0, 0, 0, 1]
    assert metadata.inputs(1)[1].shape == (32,)


def test_defaults_are_deepracers() -> None:
    assert with_lidar("DISCRETIZED_SECTOR_LIDAR").inputs(1)[1].shape == (64,)
    assert with_lidar("DISCRETIZED_SECTOR_LIDAR").lidar_sectors == LidarConfig(8, 8, 2.0)
    assert with_lidar("SECTOR_LIDAR").inputs(4)[1].shape == (8,)
    assert with_lidar("LIDAR", num_sectors=8).inputs(4)[1].shape == (64,)
