"""What a network sees of a lidar's scan. Rules: DeepRacer's simulator and car (docs/sensors.md)."""

import numpy as np

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import CLIPPED_METRES, LidarConfig


def lidar_input(ranges: np.ndarray, metadata: ModelMetadata) -> np.ndarray:
    """Scans (…, 64) in metres, endless where nothing is met, as the metadata's lidar shows them: (…, values) float32.

    LIDAR: the distances from 0.15 to 1 m. The others: for each sector, where its nearest distance lies.
    """
    sectors = metadata.lidar_sectors
    if sectors is None:
        return np.clip(ranges, *CLIPPED_METRES).astype(np.float32)
    return nearest_distances(ranges, sectors)


def nearest_distances(ranges: np.ndarray, sectors: LidarConfig) -> np.ndarray:
    """(…, num_sectors · num_values_per_sector) float32: a sector's values are all 0 where nothing is nearer than
    clipping_dist, else the one is 1 in whose share of that distance the nearest thing is."""
    values = sectors.num_values_per_sector
    nearest = ranges.reshape(*ranges.shape[:-1], sectors.num_sectors, -1).min(axis=-1).astype(np.float64)
    met = nearest < sectors.clipping_dist
    shares = np.floor(np.where(met, nearest, 0.0) / (sectors.clipping_dist / values))
    one_hot = met[..., None] & (np.minimum(shares, values - 1)[..., None] == np.arange(values))
    return one_hot.reshape(*ranges.shape[:-1], -1).astype(np.float32)
