"""The racetrack simulator: tracks, car, camera, episodes, Gymnasium environments."""
