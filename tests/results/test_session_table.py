"""The table of all runs, against a naive one."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_webipred.card import ModelCard
from napari_webipred.results.probabilities import assigned
from napari_webipred.results.reading import Reading
from napari_webipred.results.row import Row
from napari_webipred.results.session_table import Entries, SessionTable
from napari_webipred.results.table_columns import PROBABILITY, Column, TableColumns, greatest
from napari_webipred.results.table_filter import Filter, class_wins, ordered, shown


def card(name: str, classes: str, task: str) -> ModelCard:
    return ModelCard.model_validate(
        {
            "id": name,
            "name": name,
            "task": task,
            "classes": [{"index": i, "name": letter} for i, letter in enumerate(classes)],
            "input": {"width": 4, "height": 4, "channels": 3},
            "preprocessing": {"standardize_mode": "none"},
        }
    )


CARDS = [card("Lung", "AB", "multi-class"), card("Eye", "BCD", "multi-label")]
NUMBERS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


@st.composite
def runs(draw):
    """Draw a model and its rows."""
    chosen = draw(st.sampled_from(CARDS))
    rows = []
    for _ in range(draw(st.integers(0, 6))):
        image = draw(st.sampled_from(["a", "B", "c"]))
        position = draw(st.sampled_from([{}, {"z": 1}, {"z": 2}, {"t": 0, "z": 10}]))
        if draw(st.booleans()):
            numbers = np.array(draw(st.lists(NUMBERS, min_size=3, max_size=3))[: len(chosen.classes)], np.float32)
            which = assigned(numbers, chosen, 0.5)
            names = "; ".join(chosen.classes[i].name for i in which)
            rows.append(Row(0, image, position, numbers, names, which, remark=draw(st.sampled_from(["", "blank"]))))
        else:
            rows.append(Row(0, image, position, error="It holds A NaN."))
    return chosen, rows


def filled(drawn) -> SessionTable:
    table = SessionTable()
    for chosen, rows in drawn:
        run = table.begin(chosen, "sha256:00", {"threshold": 0.5}, ("t", "z"), len(rows))
        for row in rows:
            table.append(run, [row])
    return table


def lets_through(entry, chosen: Filter) -> bool:
    row = entry.row
    texts = [row.image, row.region, row.error or row.prediction or "none", row.remark, entry.comment]
    texts += entry.reading.cells[:2] if entry.reading else []
    probability = greatest(row.probabilities, row.assigned)
    return (
        any(chosen.text.strip().casefold() in text.casefold() for text in [*texts, entry.run.card.name])
        and (not chosen.runs or entry.run.number in chosen.runs)
        and (not chosen.classes or (not row.failed and bool(chosen.classes & set(row.prediction.split("; ")))))
        and ((chosen.least, chosen.most) == (0, 1) or chosen.least <= probability <= chosen.most)
        and marked(entry, chosen.marked)
    )


def marked(entry, wanted: str) -> bool:
    row, read = entry.row, entry.reading is not None
    differs = read and not row.failed and entry.reading.classes and entry.reading.classes != entry_classes(entry)
    known = {"failed": row.failed, "remark": bool(row.remark), "comment": bool(entry.comment)}
    return {"": True, **known, "read": read, "unread": not read, "differs": bool(differs)}[wanted]


def entry_classes(entry) -> tuple[str, ...]:
    return tuple(entry.row.prediction.split("; ")) if entry.row.prediction else ()


READINGS = [
    Reading(classes, "check B", datetime(2026, 1, 31, tzinfo=UTC)) for classes in [(), ("A",), ("B", "C"), ("D",)]
]
FILTERS = st.builds(
    Filter,
    text=st.sampled_from(["", "b", " A ", "lung", "check", "none", "nan"]),
    runs=st.frozensets(st.integers(1, 3), max_size=2),
    classes=st.frozensets(st.sampled_from("ABCD"), max_size=2),
    least=NUMBERS,
    most=NUMBERS,
    marked=st.sampled_from(["", "failed", "remark", "comment", "read", "unread", "differs"]),
)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("delete"), st.lists(st.integers(0, 20), max_size=4)),
        st.tuples(st.just("comment"), st.integers(0, 20), st.sampled_from(["", "check", "done"])),
        st.tuples(st.just("read"), st.integers(0, 20), st.sampled_from([None, *READINGS])),
        st.tuples(st.just("undo")),
        st.tuples(st.just("threshold"), st.integers(0, 2), NUMBERS),
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(runs(), max_size=3), ACTIONS, FILTERS)
def test_filters_let_the_rows_through_that_a_naive_table_does_whatever_was_done_before(drawn, actions, chosen):
    table = filled(drawn)
    columns = TableColumns(table)
    columns.extend()
    kept, comments, readings, undone = set(range(len(table))), {}, {}, []
    for name, *values in actions:
        if name == "delete":
            numbers = [number for number in values[0] if number < len(table)]
            gone = kept & set(numbers)
            assert table.delete(numbers) == len(gone)
            kept -= gone
            undone += [("delete", gone)] if gone else []
        elif name == "comment" and values[0] < len(table):
            number, text = values
            before = comments.get(number, "")
            assert table.comment(number, text) == (text != before)
            comments[number] = text
            undone += [("comment", number, before)] if text != before else []
        elif name == "read" and values[0] < len(table):
            number, reading = values
            before = readings.get(number)
            assert table.read(number, reading) == (reading != before)
            readings[number] = reading
            undone += [("read", number, before)] if reading != before else []
        elif name == "undo":
            assert table.undo() == bool(undone)
            if undone:
                last = undone.pop()
                if last[0] == "delete":
                    kept |= last[1]
                else:
                    {"comment": comments, "read": readings}[last[0]][last[1]] = last[2]
        elif name == "threshold" and values[0] < len(table.runs) and table.runs[values[0]].card is CARDS[1]:
            table.set_threshold(table.runs[values[0]], values[1])
    assert table.numbers.tolist() == sorted(kept)
    assert {number: text for number, text in comments.items() if text} == table.comments
    found = shown(columns, chosen, table.numbers).tolist()
    assert found == [number for number in sorted(kept) if lets_through(table.entry(number), chosen)]
    wins = class_wins(columns, table.numbers)
    for name in "ABCD":
        assert wins[name] == sum(name in table.entry(n).row.prediction.split("; ") for n in kept)


VALUES = {
    Column("image"): lambda entry: entry.row.image.casefold(),
    Column("axis", "z"): lambda entry: entry.row.position.get("z"),
    Column("run"): lambda entry: entry.run.number,
    Column("model"): lambda entry: entry.run.card.name.casefold(),
    Column("prediction"): lambda entry: (entry.row.error or entry.row.prediction or "none").casefold(),
    Column("comment"): lambda entry: entry.comment or None,
    Column("reader_class"): lambda entry: (entry.reading and "; ".join(entry.reading.classes).casefold()) or None,
    PROBABILITY: lambda entry: greatest(entry.row.probabilities, entry.row.assigned) if entry.row.assigned else None,
    Column("class", "B"): lambda entry: (
        None if entry.row.failed else float(entry.row.probabilities[entry.run.classes.index("B")])
    ),
}


@settings(max_examples=200, deadline=None)
@given(st.lists(runs(), max_size=3), st.sampled_from(list(VALUES)), st.booleans(), st.data())
def test_rows_are_sorted_as_python_does_and_those_without_a_value_come_last(drawn, column, descending, data):
    table = filled(drawn)
    for number in range(0, len(table), 2):
        table.comment(number, data.draw(st.sampled_from(["check", "done"])))
        table.read(number, data.draw(st.sampled_from(READINGS)))
    values = {number: VALUES[column](table.entry(number)) for number in range(len(table))}
    known = [number for number in values if values[number] is not None]
    expected = sorted(known, key=lambda number: values[number], reverse=False)
    if descending:  # reversed() alone would turn equal ones round
        expected = [
            n for value in sorted({values[k] for k in known}, reverse=True) for n in known if values[n] == value
        ]
    expected += [number for number in values if values[number] is None]
    assert ordered(TableColumns(table), table.numbers, column, descending).tolist() == expected


def test_a_threshold_that_is_changed_afterwards_assigns_as_the_engine_would_have():
    table = filled([(CARDS[1], [Row(0, "a", {}, np.array([0.3, 0.6, 0.9], np.float32), "C; D", (1, 2))])])
    table.mark_saved([0])
    table.set_threshold(table.runs[0], 0.25)
    entry = table.entry(0)
    assert entry.row.assigned == assigned(entry.row.probabilities, CARDS[1], 0.25) == (0, 1, 2)
    assert entry.row.prediction == "B; C; D"
    assert entry.run.options["threshold"] == 0.25
    assert table.unsaved == 1
    assert entry.row.probabilities is table.rows[0].probabilities


def test_rows_that_were_saved_and_are_commented_on_are_to_be_saved_again():
    table = filled([(CARDS[0], [Row(0, "a", error="x"), Row(0, "b", error="x")])])
    table.mark_saved([0, 1])
    assert table.unsaved == 0
    table.comment(1, "look")
    assert table.unsaved == 1
    table.delete([1])
    assert table.unsaved == 0


def test_entries_show_rows_as_they_are_when_they_are_looked_at():
    table = filled([(CARDS[0], [Row(0, name, error="x") for name in "abc"])])
    entries = Entries(table, np.array([2, 0]))
    table.comment(2, "later")
    assert [(entry.row.image, entry.comment) for entry in entries] == [("c", "later"), ("a", "")]
    assert [entry.row.image for entry in entries[1:]] == ["a"]


def test_classes_of_equal_names_in_one_model_have_columns_of_their_own():
    table = SessionTable()
    run = table.begin(card("Twice", "AA", "multi-class"), "", {}, (), 1, begun=datetime(2026, 1, 1, tzinfo=UTC))
    table.append(run, [Row(0, "a", {}, np.array([0.25, 0.75], np.float32), "A", (1,))])
    columns = TableColumns(table)
    assert columns.classes(run) == {"A": 0, "A (2)": 1}
    assert columns.numbers(Column("class", "A (2)")).tolist() == [0.75]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1000])
def test_columns_grow_with_the_table(count):
    table = filled([(CARDS[0], [Row(0, "a", {"z": i}, error="x") for i in range(count)])])
    columns = TableColumns(table)
    assert columns.numbers(Column("axis", "z")).tolist() == list(range(count))
    table.append(table.runs[0], [Row(0, "a", {}, error="x")])
    assert columns.numbers(Column("axis", "z")).tolist() == [*range(count), -1]
