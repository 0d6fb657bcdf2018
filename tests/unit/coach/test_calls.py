"""A compiled call gives what Session.run does."""

import numpy as np
import pytest

from kuberacer.coach.calls import compiled_call
from kuberacer.coach.compat.tensorflow_names import tf


@pytest.fixture
def session():
    with tf.Graph().as_default(), tf.Session() as opened:
        yield opened


def test_tensors_and_operations_in_the_order_asked_for(session):
    given, count = tf.placeholder(tf.float32, [None, 2]), tf.Variable(0)
    total, doubled, step = tf.reduce_sum(given), given * 2, tf.assign_add(count, 3).op
    session.run(tf.global_variables_initializer())
    call = compiled_call(session, [total, step, doubled, total], [given])
    array = np.arange(6.0).reshape(3, 2)  # float64, as rewards are
    for turn in (1, 2):
        first, nothing, second, again = call(array)
        assert (first, nothing, again) == (15.0, None, 15.0)
        assert (second == session.run(doubled, {given: array})).all()
        assert second.dtype == np.float32
        assert session.run(count) == 3 * turn


def test_one_tensor_is_no_list_and_an_operation_nothing(session):
    count = tf.Variable(5)
    session.run(count.initializer)
    assert compiled_call(session, count + 1, [])() == 6
    assert compiled_call(session, tf.assign(count, 9).op, [])() is None
    assert session.run(count) == 9


def test_it_goes_on_when_the_graph_grows(session):
    given = tf.placeholder(tf.float32, [None])
    call = compiled_call(session, given + 1, [given])
    more = compiled_call(session, given + 2, [given])
    assert (call([1]), more([1])) == (2, 3)


def test_what_does_not_fit_is_an_error(session):
    given = tf.placeholder(tf.float32, [None, 2])
    call = compiled_call(session, tf.matmul(given, tf.ones((2, 1))), [given])
    with pytest.raises(ValueError, match="argument"):
        call(np.zeros((1, 2)), np.zeros(1))
    with pytest.raises(tf.errors.InvalidArgumentError):
        call(np.zeros((1, 3)))
