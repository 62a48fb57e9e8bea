"""Qt widgets as value widgets of magicgui."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin

from magicgui.backends._qtpy.widgets import QBaseValueWidget
from magicgui.types import Undefined
from magicgui.widgets import ComboBox
from magicgui.widgets.bases import ValueWidget
from qtpy.QtWidgets import QComboBox, QWidget

QUESTION = "Choose…"


class QtValueWidget(ValueWidget):
    """A value widget of magicgui around any Qt widget that has a value.

    Parameters
    ----------
    make : callable
        Makes the Qt widget. It has the methods ``value()`` and ``set_value(value)`` and the signal ``value_changed``.
    """

    def __init__(self, make: Callable[[], QWidget], name: str, **options: Any) -> None:
        def widget(parent: QWidget | None = None) -> QWidget:
            made = make()
            if parent is not None:
                made.setParent(parent)
            return made

        backend = {"qwidg": widget, "getter": "value", "setter": "set_value", "onchange": "value_changed"}
        super().__init__(widget_type=QBaseValueWidget, backend_kwargs=backend, name=name, nullable=True, **options)

    def reset_choices(self, *_: Any) -> None:
        """Update the choices, if the Qt widget has any."""
        if hasattr(self.native, "reset_choices"):
            self.native.reset_choices()


def choice_of(annotation: Any, words: Mapping[Any, str], name: str, value: Any = Undefined, **options: Any) -> ComboBox:
    """Make a combo box of the values of an annotation of literals; values without a label are shown as they are."""
    choices = {each: words.get(each, str(each)) for each in literals(annotation)}
    box = ComboBox(name=name, annotation=annotation, nullable=None in choices, **options)
    offer(box, choices, next(iter(choices)) if value is Undefined else value)
    return box


def literals(annotation: Any) -> tuple[Any, ...]:
    """Return the values that an annotation of literals allows; None, if it does, comes first."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if annotation is type(None):
        return (None,)
    return tuple(sorted((v for part in get_args(annotation) for v in literals(part)), key=lambda v: v is not None))


def offer(box: ComboBox, choices: Mapping[Any, str], chosen: Any = None) -> None:
    """Set the choices without a signal; if none is chosen, “Choose…” is shown above them.

    If one of them is None, the box is ``nullable``: others say nothing when None is chosen.
    """
    offered = [] if chosen in choices else [(QUESTION, None)]
    offered += [(words, value) for value, words in choices.items() if value is not None]
    if None in choices:
        box.null_string = choices[None]
    before = box.native.blockSignals(True)
    box.choices = ()
    box.choices = lambda _: offered  # a function is kept when magicgui resets the choices
    box.value = chosen if chosen in choices else None
    box.native.blockSignals(before)


def fit(box: ComboBox, letters: int = 8) -> ComboBox:
    """Let a combo box be narrower than its longest choice, and describe it to screen readers as its tool tip does."""
    box.native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.native.setMinimumContentsLength(letters)
    box.native.setAccessibleDescription(box.tooltip)
    return box
