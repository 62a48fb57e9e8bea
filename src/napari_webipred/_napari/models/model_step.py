"""Step 1: which model."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred._napari import links
from napari_webipred._napari.models.about import about
from napari_webipred._napari.models.entry import Entry
from napari_webipred._napari.models.model_choice import ModelChoice
from napari_webipred._napari.models.opening_view import OpeningView
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.label import MutedLabel, first_sentence, rich_text_label
from napari_webipred._napari.widgets.tab_order import tab_in_place
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wheel import WheelGuard
from napari_webipred._napari.widgets.wrapping_row import WrappingRow

if TYPE_CHECKING:
    from napari_webipred._napari.models.settings_form import SettingsForm
    from napari_webipred.card import ModelCard


class ModelStep(QWidget):
    """The list of models, the opening of the chosen one, what it is for, and its settings."""

    def __init__(
        self, session: ViewerSession, choice: ModelChoice, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._loading = session.loading
        self._catalogue = session.catalogue
        self._shown_entry = session.loading.entry
        self.choice = choice
        self.opening = OpeningView(session, theme)
        self.purpose = MutedLabel()
        self.more = Button("About")
        self.more.setToolTip("Show the model card: classes, input, licence, citation, performance and limitations")
        self.performance = Button("Performance…")
        self.performance.setToolTip("Show how good the model is, as it was published: figures and metrics")
        self.about = rich_text_label()
        self.about.setAccessibleName("About this model")
        self.edit_settings = Button("Edit settings…")
        self.edit_settings.setToolTip("Change the settings of this model: class names, scaling, output")
        self.stored = Button("On this machine…")
        self.stored.setToolTip("Manage the models on this machine: remove, export, import, work offline")
        self.own = Button("My own classes…")
        self.own.setToolTip("Name classes of your own, label a few images, and get a model that tells them apart")
        self._lay_out()
        choice.add.clicked.connect(self._on_add)
        choice.menu.publishing.connect(self._on_publish)
        self.more.clicked.connect(lambda: self._show_about(self.about.isHidden()))
        self.edit_settings.clicked.connect(self._show_settings)
        self.stored.clicked.connect(self._on_stored)
        self.performance.clicked.connect(self._on_performance)
        self.about.linkActivated.connect(partial(links.ask_to_open, self))
        session.model_changed.connect(self._refresh)
        self._refresh()

    def _lay_out(self) -> None:
        self._layout = layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (self.choice, self.purpose, self.opening):
            layout.addWidget(widget)
        layout.addLayout(WrappingRow([self.own, self.more, self.performance, self.edit_settings, self.stored]))
        layout.addWidget(self.about)

    @cached_property
    def settings(self) -> SettingsForm:
        """The form for the settings that a model lacks; most models lack none, so it is made when it is needed."""
        from napari_webipred._napari.models.settings_form import SettingsForm

        form = SettingsForm(self._loading.start_with, self._theme)
        form.hide()
        self._layout.insertWidget(self._layout.indexOf(self.opening) + 1, form.native)
        tab_in_place(form.native)
        WheelGuard(form.native)
        return form

    @property
    def summary(self) -> str:
        """The name of the chosen model."""
        return self._loading.entry.name if self._loading.entry else ""

    @property
    def chosen_entry(self) -> Entry | None:
        """The chosen model."""
        return self._loading.entry

    def _refresh(self) -> None:
        loading, entry = self._loading, self._loading.entry
        self.more.setVisible(entry is not None)
        self.performance.setVisible(entry is not None and _is_published(entry.card))
        self.purpose.setText(first_sentence(entry.card.description) if entry else "")
        self.show_colours()
        self.edit_settings.setVisible(loading.model is not None and not loading.needs_settings and not entry.curated)  # type: ignore[union-attr]
        if (entry is not self._shown_entry or not loading.needs_settings) and "settings" in vars(self):
            self.settings.hide()
        self._shown_entry = entry
        shown = "settings" in vars(self) and not self.settings.native.isHidden()
        if loading.needs_settings and not shown:
            self._show_settings()

    def show_colours(self) -> None:
        """Show links in the colours of the theme."""
        self._show_about(not self.about.isHidden())

    def _show_settings(self) -> None:
        loading = self._loading
        if loading.model is not None:
            self.settings.show_settings(loading.model)
        elif outputs := loading.undecided:
            self.settings.show_outputs(outputs)
        elif loading.tried and "settings" not in vars(self):
            loading.choose(loading.entry)  # they were wrong in a panel that was closed: ask for them anew
        else:
            self.settings.show()  # the settings were wrong, and are still there to be corrected

    def _show_about(self, shown: bool) -> None:
        entry = self._loading.entry
        self.about.setText(links.style(self._theme) + about(entry.card) if shown and entry else "")
        self.about.setVisible(shown and entry is not None)
        self.purpose.setVisible(not shown and bool(self.purpose.text()))
        self.more.setText("Less" if shown else "About")

    def _on_add(self) -> None:
        from napari_webipred._napari.models.add_model import AddModel

        dialog = AddModel(self)
        dialog.accepted.connect(lambda: self._catalogue.add(dialog.reference()))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_performance(self) -> None:
        from napari_webipred._napari.evaluation.performance import Performance, published_of

        if (entry := self._loading.entry) is not None:
            dialog = Performance(entry.card, published_of(entry.card), self._theme, self)
            dialog.finished.connect(dialog.deleteLater)
            dialog.show()

    def _on_publish(self, entry: Entry) -> None:
        from napari_webipred._napari.publishing.publish_dialog import PublishDialog

        model = self._loading.model if entry is self._loading.entry else None
        dialog = PublishDialog(entry, model, self._theme, self)
        dialog.finished.connect(dialog.deleteLater)
        dialog.show()

    def _on_stored(self) -> None:
        from napari_webipred._napari.models.stored_models import StoredModels

        dialog = StoredModels(self._theme, self)
        dialog.changed.connect(self._catalogue.read_again)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


def _is_published(card: ModelCard) -> bool:
    """Tell whether a card says how good its model is, in figures that can be shown."""
    if not card.metrics:
        return False
    from napari_webipred._napari.evaluation.performance import published_of

    return bool(published_of(card))
