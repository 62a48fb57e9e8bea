"""*From an archive…*: an archive is described, searched, looked into, and images are taken from it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("pynetdicom", reason="LEFT OUT: the dialog for archives, because pynetdicom is not installed")
pytest.importorskip("dicomweb_client", reason="LEFT OUT: the dialog for archives, because dicomweb-client is missing")

import servers
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

from dicom_maker import content, ct_slice
from napari_webipred._napari.images.image_choice import ImageChoice
from napari_webipred._napari.images.image_files import ImageFiles
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.pacs.archive_dialog import ArchiveDialog
from napari_webipred._napari.pacs.connection_form import ConnectionForm
from napari_webipred._napari.pacs.retrieved import retrieved_of
from napari_webipred._napari.viewer_session import ViewerSession, session_of
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.card import ModelCard
from napari_webipred.pacs import connection_file, folder, secret
from napari_webipred.results.row import Row
from napari_webipred.results.row_list import RowList

NAME = "M\u00fcller^J\u00f6rg<img src=x>"


def files() -> dict[str, bytes]:
    pixels = np.arange(64 * 64, dtype=np.int16).reshape(64, 64)
    found = {}
    for number in range(3):
        made = ct_slice(number * 2.0, number + 1, np.roll(pixels, number), PatientName="Doe^Jane")
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"1.2.9.{number}"
        found[made.SOPInstanceUID] = content(made)
    return found


FILES = files()


def value(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


def answer(request: servers.Handler) -> None:
    if "Authorization" not in request.headers:
        request.send(b"", "text/plain", 401)
    elif request.place.endswith("/studies"):
        about = {"0020000D": value("UI", "1.2"), "00100010": value("PN", {"Alphabetic": NAME})}
        request.send_json([about | {"00080020": value("DA", "20260131"), "00201208": value("IS", 4)}])
    elif request.place.endswith("/series"):
        request.send_json([{"0020000E": value("UI", "1.3"), "00080060": value("CS", "CT"), "00200011": value("IS", 3)}])
    elif request.place.endswith("/instances"):
        uids = [*FILES, "1.2.9.99"]  # of which the last is lost
        request.send_json([{"00080018": value("UI", uid), "00200013": value("IS", n)} for n, uid in enumerate(uids)])
    elif request.place.endswith("/series/1.3"):
        request.send_parts(list(FILES.values()))
    elif (uid := request.place.rpartition("/")[2]) in FILES:
        request.send_parts([FILES[uid]])
    else:
        request.send(b"", "text/plain", 404)


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(secret, "_known", {})
    with servers.web(answer) as server:
        yield server.server_port
    folder.delete_all()


def test_the_whole_way_through_the_dialog(qtbot: Any, port: int) -> None:
    viewer = ViewerModel()
    session = session_of(viewer)
    images = session.images
    choice = ImageChoice(viewer, images, Theme(SimpleNamespace(theme="dark")))
    qtbot.addWidget(choice)
    choice.file_buttons.archive.click()
    dialog = choice.archive.dialog
    assert dialog is not None

    def wait() -> None:
        qtbot.waitUntil(lambda: dialog._task is None, timeout=20_000)

    wait()
    assert "No archive is known yet" in dialog.message.text

    dialog.add.click()
    form = dialog.findChild(ConnectionForm)
    form.name.setText("hospital")
    form.address.setText("http://pacs.example.org/rs")
    form._on_save()
    assert "not encrypted" in form.message.text
    form.address.setText(f"http://127.0.0.1:{port}/rs")
    form.user.setText("jane")
    form._on_save()
    wait()
    assert connection_file.connection("hospital").user == "jane"

    dialog.search.click()
    wait()
    assert not dialog.secret.isHidden()
    assert "password of jane" in dialog.message.text
    dialog.password.setText("s3cret")
    dialog.search.click()
    wait()
    study = dialog.tree.topLevelItem(0)
    assert [study.text(column) for column in (0, 2, 4)] == [NAME, "2026-01-31", "4"]
    assert b"s3cret" not in connection_file.path().read_bytes()

    study.setExpanded(True)
    wait()
    series = study.child(0)
    series.setExpanded(True)
    wait()
    assert (series.text(0), series.childCount()) == ("Series 3", 4)
    series.child(1).setSelected(True)
    dialog.preview.click()
    wait()
    assert not dialog.picture.empty
    assert not list(folder.parent().glob("*")), "the image of the preview is left"

    dialog.tree.clearSelection()
    assert not dialog.classify.isEnabled()
    study.setSelected(True)
    series.child(0).setSelected(True)  # which is in the study
    dialog.classify.click()
    wait()
    assert "1 did not come" in dialog.message.text
    (entry,) = images.files
    assert entry.name == "study 1"
    assert [(source.name, len(source)) for source in entry.sources] == [
        ("study 1/CT series 3", 3),
        ("study 1/CT series 3 image 4", 1),
    ]
    assert entry in choice.value()

    dialog.layers.click()
    wait()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=20_000)
    layer = viewer.layers[0]
    assert layer.name == "CT series 3"
    assert "Doe" not in str(layer.metadata)
    assert np.asarray(layer.data[1]).tolist() == np.roll(np.arange(64 * 64).reshape(64, 64), 1).tolist()

    dialog._ask_to_remove()
    dialog.close()

    def left() -> int:
        return len([path for path in folder.parent().glob("*") if path.is_dir()])

    assert left() == 2  # one of the list, one of the layer
    copy = viewer.add_image(layer.data)  # which reads the same files
    viewer.layers.remove(layer)
    assert retrieved_of(viewer)._needs(Path(copy.data.source.location).parents[1])
    QApplication.processEvents()
    assert left() == 2
    viewer.layers.clear()
    qtbot.waitUntil(lambda: left() == 1, timeout=20_000)
    classified(session, entry)
    images.remove([entry])
    retrieved_of(viewer)._delete_unneeded()
    QApplication.processEvents()
    assert left() == 1  # its rows may be explained or reported
    session.delete([0])
    qtbot.waitUntil(lambda: not folder.parent().exists(), timeout=20_000)


def classified(session: ViewerSession, entry: ImageFiles) -> None:
    """Add a row of the first image of an entry, as a run does."""
    source = entry.sources[0]
    card = ModelCard(id="m", name="m")
    run = session.table.begin(card, "", {"threshold": 0.5}, (), 1)
    targets = [Target([], path=entry.paths[0], source=source)]
    session.places.begin(run.number, targets)
    session.maps.sources.restore(run.number, targets, ())
    session.add_rows(run, RowList([Row(0, source.name, error="not computed")]))


def test_closing_the_dialog_ends_what_is_under_way(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with servers.mute() as silent:
        connection_file.add(
            connection_file.Connection("mute", "dicomweb", f"http://127.0.0.1:{silent}/rs")  # type: ignore[attr-defined]
        )
        dialog = ArchiveDialog(Theme(SimpleNamespace(theme="dark")))
        qtbot.addWidget(dialog)
        qtbot.waitUntil(lambda: dialog._task is None, timeout=20_000)
        dialog.show()
        dialog.search.click()
        task = dialog._task
        assert task is not None
        with qtbot.waitSignal(task.cancelled, timeout=20_000):
            dialog.close()
    assert not folder.parent().exists()
