"""First come, first served: the order of tickets, who is passed over, and who is refused."""

import gc
import random
import threading
import time
import weakref

import pytest

from explorer.runs.device_queue import DeviceQueue, QueueFull, device_queue
from explorer.settings.limits import Limits


def test_tickets_are_served_in_the_order_in_which_they_were_taken():
    queue, served = DeviceQueue(), []
    tickets = [queue.join(on_granted=lambda at=at: served.append(at)) for at in range(20)]
    assert [ticket.place for ticket in tickets] == list(range(20))
    for at, ticket in enumerate(tickets):
        assert served == list(range(at + 1))
        ticket.leave()
    assert not queue.busy


def test_a_place_may_be_that_of_an_earlier_time():
    queue = DeviceQueue()
    queue.join()
    earlier = time.monotonic()
    second = queue.join()
    assert (queue.join(came=earlier).place, second.place) == (1, 2)


def test_one_that_is_not_ready_keeps_its_place_and_holds_up_nobody():
    queue, ready = DeviceQueue(), []
    first = queue.join(ready=lambda: bool(ready))
    second, third = queue.join(), queue.join()
    assert (first.granted.is_set(), second.granted.is_set()) == (False, True)
    assert third.place == 1
    ready.append(True)
    assert third.place == 2
    second.leave()
    assert (first.granted.is_set(), third.granted.is_set()) == (True, False)


def test_one_that_leaves_in_the_middle_makes_room():
    queue = DeviceQueue()
    first, second, third = (queue.join() for _ in range(3))
    second.leave()
    assert third.place == 1
    second.leave()
    first.give_up()  # works with the device, and leaves by itself
    assert not third.granted.is_set()
    first.leave()
    assert third.granted.is_set()


def test_the_wait_is_the_sum_of_those_before_where_all_can_say():
    queue, left = DeviceQueue(), [4.0]
    queue.join(seconds_left=lambda: left[0])
    second = queue.join(seconds_left=lambda: 10.0)
    third = queue.join()
    waits = [each.standing.wait_s for each in (second, third, queue.join())]
    assert waits == [4.0, 14.0, None]
    left[0] = None
    queue.advance()
    assert second.standing.wait_s is None


def test_all_that_wait_learn_their_standing_from_one_look_at_the_queue():
    queue, asked = DeviceQueue(), []

    def seconds_left(at: int) -> float:
        asked.append(at)
        return 2.0

    tickets = [queue.join(seconds_left=lambda at=at: seconds_left(at)) for at in range(60)]
    for _ in range(3):
        standings = [ticket.standing for ticket in tickets[1:]]
    assert standings == [(at, 2.0 * at) for at in range(1, 60)]
    assert len(asked) <= len(tickets)
    tickets[10].leave()  # only the holder, who goes on computing, is asked again
    assert [ticket.standing.place for ticket in tickets[11:]] == list(range(10, 59))
    assert asked[60:] == [0]
    tickets[0].leave()
    assert tickets[1].granted.is_set() and tickets[2].standing == (1, 2.0)


def test_the_queue_holds_no_ticket_that_has_left():
    queue = DeviceQueue()
    first, second = queue.join(), queue.join()
    assert second.standing.place == 1
    gone = weakref.ref(second)
    second.leave()
    del second
    gc.collect()
    assert gone() is None and not first.queue._waiting


def test_a_load_takes_its_turn_and_is_no_run():
    queue = DeviceQueue()
    load, run = queue.join(is_run=False), queue.join()
    assert (run.place, run.granted.is_set(), queue.runs) == (0, False, 1)
    load.leave()
    assert run.granted.is_set()


def test_so_many_wait_and_no_more():
    queue, limits = DeviceQueue(), Limits(waiting_runs=3)
    tickets = [queue.join(limits=limits) for _ in range(4)]
    with pytest.raises(QueueFull, match=r"^3 runs are waiting for this server already"):
        queue.join(limits=limits)
    tickets[2].leave()
    queue.join(limits=limits)
    with pytest.raises(QueueFull):
        queue.join(limits=limits)
    queue.join(is_run=False, limits=limits)


def test_a_visitor_has_one_run_and_so_many_waiting():
    queue = DeviceQueue()
    mine = [queue.join("me"), queue.join("me")]
    with pytest.raises(QueueFull, match="a run under way and 1 waiting"):
        queue.join("me")
    for _ in range(4):
        queue.join()  # nobody in particular
    queue.join("you")
    mine[1].leave()
    queue.join("me")


def test_a_queue_without_a_device_moves_to_that_of_the_device_at_the_places_of_its_tickets():
    early, device = DeviceQueue(is_open=False), DeviceQueue()
    holder = device.join()
    first = early.join()
    between = device.join()
    last = early.join()
    assert not first.granted.is_set()
    early.become(device)
    late = early.join()
    order = []
    for ticket in (first, between, last, late):
        ticket.on_granted = lambda ticket=ticket: order.append(ticket)
    for ticket in (holder, first, between, last):
        ticket.leave()
    assert order == [first, between, last, late]
    early.become(device)


def test_a_device_has_one_queue():
    assert device_queue("cuda") is device_queue("cuda:0")
    assert device_queue("cuda:1") is not device_queue("cuda")
    assert device_queue("cpu") is device_queue("cpu")


@pytest.mark.parametrize("seed", range(5))
def test_never_two_at_once_and_nobody_forgotten_whatever_threads_do(seed):
    queue, inside, together, served = DeviceQueue(), [], [], []
    dice = random.Random(seed)
    plans = [(dice.random() < 0.3, dice.random() < 0.3) for _ in range(60)]

    def visit(number, gives_up, raises):
        ticket = queue.join()
        if gives_up:
            ticket.wait(0.001)
            ticket.give_up()
            if not ticket.granted.is_set():
                return
        try:
            assert ticket.wait(30)
            inside.append(number)
            together.append(len(inside))
            served.append(ticket.number)
            inside.pop()
            if raises:
                raise RuntimeError
        except RuntimeError:
            pass
        finally:
            ticket.leave()

    threads = [threading.Thread(target=visit, args=(at, *plan)) for at, plan in enumerate(plans)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert set(together) == {1}
    assert len(served) >= sum(not gives_up for gives_up, _ in plans)
    assert served == sorted(served)
    assert not queue.busy
    assert queue.runs == 0


def test_a_queue_of_two_places_serves_two_at_a_time_in_order():
    queue = DeviceQueue(capacity=2)
    tickets = [queue.join() for _ in range(5)]
    assert [ticket.granted.is_set() for ticket in tickets] == [True, True, False, False, False]
    assert [ticket.place for ticket in tickets] == [0, 0, 1, 2, 3]  # so many end before
    tickets[1].leave()
    assert [ticket.granted.is_set() for ticket in tickets[2:]] == [True, False, False]
    tickets[0].leave()
    assert [ticket.granted.is_set() for ticket in tickets[3:]] == [True, False]


def test_the_wait_for_one_of_two_places_is_that_for_the_first_that_is_free():
    queue = DeviceQueue(capacity=2)
    for seconds in (4.0, 10.0, 3.0, 5.0):  # at 4 the third begins, at 7 the fourth
        queue.join(seconds_left=lambda seconds=seconds: seconds)
    last = queue.join()
    assert last.standing.wait_s == 10.0
    assert queue.join().standing.wait_s is None


def test_a_queue_of_two_places_takes_as_many_waiting_runs_as_one_of_one_place():
    limits = Limits(waiting_runs=2)
    queue = DeviceQueue(capacity=2)
    for _ in range(4):
        queue.join(limits=limits)
    with pytest.raises(QueueFull):
        queue.join(limits=limits)
