"""A viewer of napari whose window has no canvas and no controls of layers: making a real one takes half of a test."""

from __future__ import annotations

from functools import cache
from typing import Any

from napari import Viewer
from napari._qt.qt_event_loop import get_qapp
from napari._qt.qt_resources import get_stylesheet
from napari.components import ViewerModel
from napari.plugins import _initialize_plugins
from napari.utils._proxies import PublicOnlyProxy
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


class LightViewer(Viewer):
    """A viewer with the layers, dims and events of napari's own, to test what does not look at the canvas.

    `widgets` are the classes of the plugin's widgets, by their names in the manifest.
    """

    def __init__(self, widgets: dict[str, type[QWidget]]) -> None:
        ViewerModel.__init__(self)
        _know_plugins()
        self._window = LightWindow(self, widgets)
        self._instances.add(self)

    def close(self) -> None:
        """Close the window, as napari's own does."""
        self.layers.clear()
        self._window.close()


@cache
def _know_plugins() -> None:
    """Let napari know its plugins, once: after a test with its own viewer it would do so again, and refuse them."""
    _initialize_plugins()


class LightWindow:
    """The dock widgets of a plugin, in a window with napari's style."""

    def __init__(self, viewer: LightViewer, widgets: dict[str, type[QWidget]]) -> None:
        get_qapp()  # which finds the icons of the style
        self._viewer = viewer
        self._widgets = widgets
        self._qt_window = QMainWindow()
        self._qt_window.resize(900, 700)
        self._docks: dict[str, QDockWidget] = {}
        self._style()
        viewer.events.theme.connect(self._style)

    def _style(self) -> None:
        theme = self._viewer.theme
        self._qt_window.setStyleSheet(_style_of(theme, repr(get_theme(theme).to_rgb_dict())))

    def add_plugin_dock_widget(self, plugin: str, name: str) -> tuple[QDockWidget, Any]:
        """Show a widget of the plugin in a dock, unless it is there already."""
        if name not in self._docks:
            dock = self._docks[name] = QDockWidget(name, self._qt_window)
            dock.destroyOnClose = lambda: self.remove_dock_widget(dock)  # as a dock of napari has it
            widget = self._widgets[name](PublicOnlyProxy(self._viewer))
            dock.setWidget(widget)
            self._qt_window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
            if hasattr(widget, "reset_choices"):
                events = self._viewer.layers.events
                for change in ("inserted", "removed", "reordered", "renamed"):  # napari 0.6 lacks the last
                    if change in events.emitters:
                        events.emitters[change].connect(widget.reset_choices)
        return self._docks[name], self._docks[name].widget()

    def remove_dock_widget(self, widget: QWidget | str) -> None:
        """Take one dock or ``"all"`` out of the window and delete them."""
        for name, dock in list(self._docks.items()):
            if widget == "all" or widget in (dock, dock.widget()):
                del self._docks[name]
                dock.widget().setParent(None)
                self._qt_window.removeDockWidget(dock)
                dock.deleteLater()

    def close(self) -> None:
        """Close the window and delete it with all that is in it."""
        self._viewer.events.theme.disconnect(self._style)
        self._qt_window.close()
        self._qt_window.deleteLater()


@cache
def _style_of(theme: str, colours: str) -> str:
    """The style that napari makes of a theme and its colours, which may change; making it takes as long as a viewer."""
    return get_stylesheet(theme)
