"""The metadata that goes to the car with a model."""

import json
from dataclasses import replace

import pytest

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import LidarConfig
from kuberacer.stages.publish import for_the_car


@pytest.mark.parametrize(
    ("sensors", "kept"),
    [
        (("LEFT_CAMERA",), True),
        (("LEFT_CAMERA", "LIDAR"), False),
        (("LEFT_CAMERA", "SECTOR_LIDAR"), False),
        (("LEFT_CAMERA", "DISCRETIZED_SECTOR_LIDAR"), True),
    ],
)
def test_the_car_is_not_told_another_number_of_lidar_values(tmp_path, sensors, kept):
    metadata = replace(ModelMetadata.default("clipped_ppo"), sensors=sensors, lidar_config=LidarConfig())
    (tmp_path / "model.pb").write_bytes(b"graph")
    (tmp_path / "model_metadata.json").write_text(metadata.to_json())
    graph, text = for_the_car(tmp_path)
    assert graph == b"graph"
    assert ("lidar_config" in json.loads(text)) == kept
    assert json.loads(text)["sensor"] == list(sensors)
