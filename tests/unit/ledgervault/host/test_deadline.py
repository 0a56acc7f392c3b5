"""The time-out of a whole run: registered waits end at that moment, and nothing starts later."""

from __future__ import annotations

import threading
import time

import pytest

from ledgervault.host import deadline
from ledgervault.model.errors import Bad, CouldNot


def test_what_was_entered_ends_when_the_time_is_up_and_the_error_names_the_setting() -> None:
    ended = threading.Event()
    said = r"job: still running after 0 s \(limits\.x\), stopped"
    with pytest.raises(CouldNot, match=said) as raised, deadline.within("job", 0.05, "limits.x"):
        deadline.enter(ended.set)
        assert ended.wait(5)
        raise BrokenPipeError
    assert "limits.x" in raised.value.hint


def test_whatever_error_the_end_makes_becomes_could_not() -> None:
    with pytest.raises(CouldNot), deadline.within("job", 0.01, "limits.x") as limit:
        while not limit.passed:
            time.sleep(0.005)
        raise Bad("dump", "looks cut off")


def test_nothing_begins_after_the_time_is_up_and_what_began_meanwhile_ends_at_once() -> None:
    ended = threading.Event()
    with deadline.within("job", 0.01, "limits.x") as limit:
        deadline.check()
        while not limit.passed:
            time.sleep(0.005)
        with pytest.raises(CouldNot):
            deadline.check()
        assert deadline.has_passed()
        deadline.enter(ended.set)
        assert ended.is_set()


def test_a_run_that_ends_in_time_is_left_alone_and_so_is_its_error() -> None:
    ended = threading.Event()
    with pytest.raises(Bad), deadline.within("job", 0.05, "limits.x") as limit:
        deadline.enter(ended.set)
        raise Bad("dump", "is bad")
    time.sleep(0.1)
    assert not ended.is_set()
    assert not limit.passed


def test_outside_of_a_run_nothing_is_limited_and_a_run_inside_another_leaves_it_as_it_was() -> None:
    deadline.check()
    deadline.enter(pytest.fail)
    assert not deadline.has_passed()
    ended = threading.Event()
    with deadline.within("outer", 0.1, "limits.x") as outer:
        with deadline.within("inner", 60, "limits.y"):
            pass
        deadline.enter(ended.set)
        assert ended.wait(5)
        assert outer.passed


def test_a_wait_that_nobody_can_cut_is_no_longer_than_what_is_left() -> None:
    assert deadline.bounded(10) == 10
    with deadline.within("job", 5.5, "limits.x"):
        assert deadline.bounded(10) == 6
        assert deadline.bounded(3) == 3
    with deadline.within("job", 0.001, "limits.x") as limit:
        while not limit.passed:
            time.sleep(0.005)
        assert deadline.bounded(10) == 1
