"""DeepRacer's files: metrics, sim traces, bucket layout, car archive."""
