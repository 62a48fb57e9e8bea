"""A reader goes through the rows of a table, and finds the way back to what is still open."""

from __future__ import annotations

import numpy as np
from tests.results.test_reading import answer, filled

from napari_webipred.results.worklist import Standing, Worklist


def test_a_reader_is_led_from_one_open_row_to_the_next_and_then_to_what_was_skipped():
    table = filled(count=5)
    table.read(0, answer("A"))
    work = Worklist(table, np.array([4, 0, 2, 1]))
    seen = [work.number]
    work.move(1)
    assert (work.number, work.answered) == (0, 1)
    work.move(1)
    for number in (2, 1):
        seen.append(work.number)
        table.read(number, answer("A"))
        work.note(number)
        work.go_on()
    assert (seen, work.number, work.answered) == ([4, 2, 1], None, 3)
    work.move(-1)
    assert work.number == 1
    work.go_to_open()
    assert work.number == 4
    work.move(-1)
    assert work.number == 4


def test_the_reading_goes_on_where_it_stopped():
    table = filled(count=4)
    for number in (0, 1, 3):
        table.read(number, answer("A"))
    assert Worklist(table, np.arange(4)).number == 2
    table.read(2, answer())
    assert Worklist(table, np.arange(4)).number == 0


def test_answers_are_counted_as_they_are_given_changed_and_taken_back():
    table = filled(count=4)
    work = Worklist(table, np.arange(3))
    assert work.agreement is None
    for number, reading in [(0, answer("A", "=D")), (1, answer("A")), (2, answer()), (3, answer("A"))]:
        table.read(number, reading)
        work.note(number)
    assert [work.count(standing) for standing in Standing] == [0, 1, 1, 1, 0]
    assert (work.answered, work.agreement) == (3, 0.5)
    table.read(1, answer("A", "=D"))
    work.note(1)
    assert work.agreement == 1
    table.undo()
    table.undo()
    table.undo()
    for number in (1, 2, 3):
        work.note(number)
    assert [work.count(standing) for standing in Standing] == [1, 1, 1, 0, 0]


def test_a_seed_gives_an_order_that_sorting_does_not_change():
    table = filled(count=50)
    orders = []
    for numbers, seed in [(np.arange(50), 7), (np.arange(50)[::-1], 7), (np.arange(50), 8)]:
        work = Worklist(table, numbers, seed)
        orders.append([])
        while work.number is not None:
            orders[-1].append(work.number)
            work.move(1)
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(50)) != orders[0]


def test_no_rows_are_no_work():
    work = Worklist(filled(), np.empty(0, np.intp))
    work.note(0)
    work.go_on()
    assert (work.number, work.answered) == (None, 0)
