import numpy as np

from kuberacer.rollout.records import trace_rows
from kuberacer.rollout.trace import TraceRecorder
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track


def test_steps_come_back_episode_by_episode(ring: Track):
    sim = RaceSim(ring, 3, seed=1)
    sim.reset()
    recorder = TraceRecorder(3, capacity=2)
    episodes = np.array([7, 5, 6])
    for step in range(5):
        sim.advance(np.zeros(3), np.ones(3))
        actions = np.array([[step, car] for car in range(3)], np.float32)
        recorder.record(sim, episodes, actions, np.zeros(3), np.ones(3), np.arange(3) + 10.0 * step, sim.terminated)
    rows = list(trace_rows(recorder, ring.length))
    assert [row.episode for row in rows] == [5] * 5 + [6] * 5 + [7] * 5
    assert [row.steps for row in rows] == [1, 2, 3, 4, 5] * 3
    assert [row.reward for row in rows[:5]] == [1, 11, 21, 31, 41], "of the second car"
    assert rows[6].action == (1.0, 2.0)
    recorder.clear()
    assert list(trace_rows(recorder, ring.length)) == []
