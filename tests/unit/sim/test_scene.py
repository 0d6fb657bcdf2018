"""Where boxes and bots stand, and what cannot stand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.sim.scene import INNER, OUTER, Bots, Boxes, Scene, layout
from sim.roads import oval, straight

LONG = straight(length=30.0, width=0.9, rows=60)


@given(count=st.integers(0, 12), spacing=st.floats(0.5, 3.0), things=st.sampled_from([Boxes(), Bots()]))
def test_spread_things_keep_their_distance_or_do_not_fit(count, spacing, things):
    things = replace(things, count=count, spacing=spacing)
    fits = (count - 1) * spacing <= LONG.length - 1.0 - spacing + 1e-9
    if not fits:
        with pytest.raises(UserError, match=rf"{count} boxes at least .* do not fit on track straight") as fault:
            layout(things, LONG, "boxes")
        most = int(fault.value.remedy.split("at most ")[1].split()[0])
        layout(replace(things, count=most), LONG)
        assert most < count
        return
    found = layout(things, LONG)
    assert len(found.distance) == count
    assert (np.diff(found.distance) >= spacing - 1e-6).all()
    assert all(spacing - 1e-9 <= at <= LONG.length - 1.0 + 1e-9 for at in found.distance)
    assert found.lane.tolist() == [INNER, OUTER, *[INNER, OUTER] * 6][:count]


@given(places=st.lists(st.tuples(st.floats(0, 1), st.sampled_from([-1, 1])), max_size=4), rest=st.integers(0, 6))
def test_given_places_are_taken_and_the_others_keep_away_from_them(places, rest):
    boxes = Boxes(count=len(places) + rest, places=tuple(places), spacing=1.5)
    same_lane = [[f * LONG.length for f, lane in places if lane == wanted] for wanted in (-1, 1)]
    if any(np.diff(sorted(lane)).min(initial=9.0) < 0.5 for lane in same_lane):
        with pytest.raises(UserError, match=r"stand in each other|do not fit"):
            layout(boxes, LONG)
        return
    assume(rest * 1.5 < 4.0)  # between at most four given ones there is always room for two
    found = layout(boxes, LONG)
    assert sorted(found.distance[found.given]) == pytest.approx(sorted(f * LONG.length for f, _ in places))
    for at in found.distance[~found.given]:
        assert (np.sort(np.abs(found.distance - at))[1:] >= 1.5 - 1e-6).all()


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        (Scene(boxes=Boxes(count=40)), "40 boxes at least 2 m apart do not fit on track oval, whose lap is 19.4 m"),
        (Scene(bots=Bots(count=2, places=((1.2, 1),))), "bots at 1.2,1 of the lap"),
        (Scene(boxes=Boxes(count=1, places=((0.2, 0),))), "boxes at 0.2,0 of the lap"),
        (Scene(boxes=Boxes(count=1, places=((0.2, 1), (0.4, 1)))), "2 places for 1 boxes"),
        (Scene(boxes=Boxes(count=2, places=((0.2, 1), (0.21, 1)))), "two boxes stand in each other at 0.200 and 0.210"),
        (Scene(boxes=Boxes(count=3, places=((0.2, 1), (0.205, -1), (0.21, 1)))), "at 0.200 and 0.210"),
        (Scene(boxes=Boxes(count=2, places=((0.0, 1), (0.99, 1)))), "at 0.990 and 1.000"),
        (Scene(boxes=Boxes(count=1, kind="crate")), "a box of the kind 'crate'"),
        (Scene(boxes=Boxes(count=-1)), "-1 boxes"),
        (Scene(boxes=Boxes(count=1), bots=Bots(count=1)), "bots would drive through the boxes"),
        (Scene(bots=Bots(count=1, speed=9.0)), "bots at 9 m/s"),
        (Scene(bots=Bots(count=1, lane_change_every=(5.0, 3.0))), "every 5 to 3 s"),
        (Scene(bots=Bots(count=1, lane_change_distance=0.0)), "within 0 m"),
        (Scene(together=0), "0 cars on one track"),
    ],
)
def test_what_cannot_stand_is_named(scene, said):
    with pytest.raises(UserError) as fault:
        scene.check(oval())
    assert said in fault.value.cause


def test_a_narrow_track_has_no_room_beside_a_box():
    with pytest.raises(UserError, match="leave no way through"):
        Scene(boxes=Boxes(count=1)).check(straight(width=0.4))


def test_boxes_or_standing_bots_or_both_are_fine():
    Scene(boxes=Boxes(count=3), bots=Bots(count=2, speed=0.0)).check(oval())
    Scene(bots=Bots(count=3, lane_change=True), together=2).check(oval())
    assert Scene(boxes=Boxes(count=3), bots=Bots(count=2, speed=0.0), together=4).objects == 8
