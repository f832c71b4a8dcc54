import threading
import time
from contextlib import suppress

import pytest

from kist.content.transfer import CancelToken, Meter, Workers, cpu_count, run_bounded
from kist.errors import KistError


def _tasks(count, call):
    return ((lambda number=number: call(number)) for number in range(count))


def test_results_come_in_order_whatever_finishes_first():
    def slow_first(number):
        time.sleep(0.02 if number == 0 else 0)
        return number

    assert list(run_bounded(_tasks(20, slow_first), workers=4)) == list(range(20))


def test_no_task_and_one_task_need_no_thread():
    assert list(run_bounded([])) == []
    assert list(run_bounded([threading.current_thread])) == [threading.current_thread()]


def test_never_more_than_the_look_ahead_is_under_way():
    taken = []

    def tasks():
        for number in range(50):
            taken.append(number)
            yield lambda number=number: number

    for done, _ in enumerate(run_bounded(tasks(), workers=2, look_ahead=5), start=1):
        assert len(taken) - done <= 5


def test_the_first_error_wins_and_the_rest_is_dropped():
    started = []

    def call(number):
        started.append(number)
        if number == 3:
            raise ValueError("three")
        time.sleep(0.001)

    with pytest.raises(ValueError, match="three"):
        list(run_bounded(_tasks(1000, call), workers=2, look_ahead=4))
    assert len(started) < 20


def test_an_error_further_on_is_raised_before_its_turn():
    failed = threading.Event()

    def call(number):
        if number == 2:
            failed.set()
            raise ValueError("two")
        failed.wait(5)
        # The error is set a moment after the task has raised it.
        time.sleep(0.05)
        return number

    seen = []
    with pytest.raises(ValueError, match="two"):
        seen.extend(run_bounded(_tasks(3, call), workers=3, look_ahead=3))
    assert seen in ([], [0])


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_runs_any_more_when_a_run_of_lasting_workers_ends(fails):
    running = threading.Event()
    active = []

    def call(number):
        if number == 0:
            running.wait(5)
            if fails:
                raise ValueError("zero")
        active.append(number)
        running.set()
        time.sleep(0.02)
        active.remove(number)

    with Workers(2) as workers:
        results = workers.run(_tasks(10, call), look_ahead=4)
        with suppress(ValueError):
            next(results)
        results.close()
        assert active == []
        time.sleep(0.03)
        assert active == []


def test_leaving_early_waits_for_what_runs():
    running, ended = threading.Event(), threading.Event()

    def call(number):
        if number == 1:
            running.set()
            time.sleep(0.02)
            ended.set()
        return number

    results = run_bounded(_tasks(3, call), workers=2, look_ahead=3)
    assert next(results) == 0
    running.wait(5)
    results.close()
    assert ended.is_set()


def test_a_cancelled_transfer_stops():
    token = CancelToken()
    seen = []
    with pytest.raises(KistError) as caught:
        for number in run_bounded(_tasks(1000, lambda n: n), workers=2, cancel=token):
            seen.append(number)
            token.cancel()
    assert caught.value.kind == "cancelled"
    assert token.is_cancelled
    assert len(seen) == 1


def test_a_cancelled_token_stops_before_the_first_task():
    token = CancelToken()
    token.cancel()
    with pytest.raises(KistError):
        list(run_bounded([lambda: pytest.fail("it ran")], cancel=token))


def test_no_thread_is_left():
    before = threading.active_count()
    list(run_bounded(_tasks(10, lambda n: n), workers=3))
    with Workers(2) as workers:
        assert workers.submit(lambda: 5).result() == 5
    assert threading.active_count() == before


def test_workers_without_work_start_no_thread():
    before = threading.active_count()
    with Workers():
        assert threading.active_count() == before


def test_progress_counts_up():
    steps = []
    meter = Meter(lambda done, total: steps.append((done, total)), total_bytes=5)
    meter.add(2)
    meter.add(3)
    assert steps == [(2, 5), (5, 5)]
    Meter().add(1)


def test_there_is_a_processor():
    assert cpu_count() >= 1
