"""What napari's own style does not show: a frame around the focused control, and the size of some texts."""

from __future__ import annotations

from napari_webipred._napari.widgets.appearance import appearance
from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, Theme

# The frame takes the place of padding that napari's style gives to these controls (napari/_qt/qt_resources/styles), so
# that nothing moves when the focus changes. Radio buttons of magicgui are in a box that needs no frame. The three
# fields of a range have no arrows and fit into a narrow panel, as do the words of the two filters of models. napari's
# style gives the chosen font size to labels and buttons only.
SHEET = """
Header, Chart, Plot, RangeSlider, MapLegend, QLineEdit, QTableView, QHeaderView {{ font-size: {size}; }}
QPushButton:focus {{ border: 1px solid {frame}; padding: 3px; }}
QComboBox:focus {{ border: 1px solid {frame}; padding: 2px 9px 2px 7px; }}
QComboBox QAbstractItemView:focus {{ border: 0px; padding: 1px; }}
ModelChoice QComboBox {{ padding-right: 2px; }}
ModelChoice QComboBox:focus {{ padding-right: 1px; }}
QAbstractSpinBox:focus {{ border: 1px solid {frame}; padding: 0px 9px; }}
RangeFields QSpinBox {{ min-width: 32px; padding: 1px 4px; }}
RangeFields QSpinBox:focus {{ border: 1px solid {frame}; padding: 0px 3px; }}
QLineEdit:focus {{ border: 1px solid {frame}; padding: 1px; }}
QSlider:focus {{ border: 1px solid {frame}; }}
QCheckBox:focus, QRadioButton:focus, QLabel:focus, QAbstractScrollArea:focus {{
    border: 1px solid {frame};
    padding: 0px;
}}
QGroupBox {{ border: 0px; margin: 0px; padding: 0px; }}
"""


def focus_sheet(theme: Theme) -> str:
    """Return a style sheet that frames the focused control in the theme's highlight colour."""
    frame = theme.readable("highlight", on="primary", ratio=SHAPE_CONTRAST).name()
    return SHEET.format(frame=frame, size=f"{appearance().font_size}pt")
