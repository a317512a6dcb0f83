"""What decisions mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.rl.orders import CHOICES, FIELDS_MM, VERBS, order_of, thresholds
from agents.scripted.memory import NORMAL
from carm_env.sim.task import VERIFY_FIELD_MM

HERE, TARGET = np.array([0.0, -200.0, -900.0]), np.array([10.0, -180.0, -100.0])
ASIDE = np.array([0.0, 0.0, 40.0])
choices = st.tuples(*[st.integers(0, count - 1) for count in CHOICES.values()]).map(np.array)


def choice(**parts):
    return np.array([parts.get(name, 0) for name in CHOICES])


def at(verb, **parts):
    return choice(verb=VERBS.index(verb), **parts)


@given(choices, st.booleans())
def test_every_decision_is_an_order_within_what_lies_between_here_and_the_target(drawn, verified):
    order = order_of(drawn, HERE, TARGET, verified)
    low, high = np.minimum(HERE, TARGET), np.maximum(HERE, TARGET)
    assert (order.goal_mm >= low - ASIDE).all()
    assert (order.goal_mm <= high + ASIDE).all()
    assert (order.look is None) == (order.verb == "declare")


@given(choices)
def test_nobody_declares_without_a_verification_here(drawn):
    assert order_of(drawn, HERE, TARGET, may_declare=False).verb != "declare"


@given(choices.filter(lambda c: VERBS[c[0]] in ("verify", "declare")))
def test_a_verification_is_one_that_the_task_takes(drawn):
    order = order_of(drawn, HERE, TARGET, may_declare=False)
    assert order.planes == (True, True)
    assert order.look.field_mm >= VERIFY_FIELD_MM
    assert order.look.preset >= NORMAL
    assert (order.goal_mm == TARGET).all()
    assert order.left_mm is None


def test_verbs_say_which_planes_look():
    planes = {verb: order_of(at(verb), HERE, TARGET, False).planes for verb in ("A", "B", "AB")}
    assert planes == {"A": (True, False), "B": (False, True), "AB": (True, True)}


def test_a_look_in_passing_is_due_where_the_rest_of_the_way_is_left():
    order = order_of(at("A", way=2, pace=1), HERE, TARGET, False)
    assert order.left_mm == pytest.approx(0.4 * 800.0)
    assert (order.goal_mm == TARGET).all()


def test_a_box_is_cut_into_equal_bins():
    count = np.array(list(CHOICES.values()))
    ends = thresholds(np.stack([-np.ones(len(count)), np.ones(len(count))]))
    assert (ends[0] == 0).all()
    assert (ends[1] == count - 1).all()
    spread = np.linspace(-0.999, 0.999, 50 * len(FIELDS_MM))[:, None] * np.ones(len(count))
    assert (np.bincount(thresholds(spread)[:, list(CHOICES).index("field")]) == 50).all()
