"""Parts on their way to a client that calls back from inside of its own machinery."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kist.errors import InternalError

pytest.importorskip("obstore")

from kist.store.object_upload import PartUpload, iter_parts


@given(st.lists(st.binary(max_size=20), max_size=12), st.integers(1, 15))
def test_parts_are_all_of_one_size_but_the_last(pieces, size):
    parts = [bytes(part) for part in iter_parts(map(memoryview, pieces), size)]
    assert b"".join(parts) == b"".join(pieces)
    assert all(len(part) == size for part in parts[:-1])
    assert all(0 < len(part) <= size for part in parts[-1:])


def test_parts_share_no_memory_with_their_source():
    memory = bytearray(b"aaaa")

    def pieces():
        for letter in b"bcd":
            memory[:] = bytes([letter]) * 4
            yield memoryview(memory)

    assert b"".join(list(iter_parts(pieces(), 6))) == b"bbbbccccdddd"


def run(parts, send):
    PartUpload(send).run(parts)


def test_all_parts_arrive_in_order_from_the_caller_s_thread():
    got, threads = [], []

    def parts():
        for number in range(50):
            threads.append(threading.current_thread())
            yield bytearray([number])

    run(parts(), got.extend)
    assert got == [bytearray([number]) for number in range(50)]
    assert set(threads) == {threading.current_thread()}


def test_the_source_is_not_asked_far_ahead():
    asked, taken, most = 0, 0, 0

    def parts():
        nonlocal asked, most
        for _ in range(30):
            asked += 1
            most = max(most, asked - taken)
            yield bytearray(1)

    def send(given):
        nonlocal taken
        for _ in given:
            taken += 1

    run(parts(), send)
    assert (asked, taken) == (30, 30)
    assert most <= 3


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_client_that_fails_ends_it_however_much_is_left(after):
    def send(given):
        for number, _ in enumerate(given):
            if number == after:
                raise FileNotFoundError("no bucket")

    def parts():
        while True:
            yield bytearray(1)

    with pytest.raises(FileNotFoundError, match="no bucket"):
        run(parts(), send)


@pytest.mark.parametrize("error", [ValueError("broke"), KeyboardInterrupt(), GeneratorExit()])
def test_a_source_that_fails_lets_the_client_take_back_what_it_has(error):
    undone = []

    def send(given):
        try:
            for _ in given:
                pass
        except Exception:
            undone.append(True)
            raise

    def parts():
        yield bytearray(1)
        raise error

    with pytest.raises(type(error)) as caught:
        run(parts(), send)
    assert caught.value is error
    assert undone == [True]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_client_that_breaks_is_no_success():
    def send(given):
        raise ZeroDivisionError

    with pytest.raises(InternalError):
        run(iter([bytearray(1)]), send)


def test_no_thread_is_left():
    before = threading.active_count()
    run(iter([bytearray(1)] * 3), list)
    assert threading.active_count() == before
