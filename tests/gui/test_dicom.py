"""DICOM files in napari: layers that look as the file says, are named after nobody and give the file's numbers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.components import ViewerModel
from napari.layers import Layer

from dicom_maker import RAMP, ct_slice, dataset, written
from napari_webipred._napari.images import dicom_layers
from napari_webipred._napari.images.dicom_layers import reader
from napari_webipred._napari.images.image_choice import ImageChoice
from napari_webipred._napari.images.image_item import sources_of
from napari_webipred._napari.images.images import Images
from napari_webipred._napari.images.layer_input import image_input
from napari_webipred._napari.images.layers import source_of
from napari_webipred._napari.images.opened_files import OpenedFiles
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.intensity.intensity import IntensityChoice
from napari_webipred._napari.results.row_places import RowPlaces
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.engine import find_sources
from napari_webipred.errors import ImageError
from napari_webipred.execution.plane import Plane, prepared_plane
from napari_webipred.imaging.readers import read
from napari_webipred.imaging.selection import take_planes
from napari_webipred.options import Options
from napari_webipred.results import script
from napari_webipred.results.inputs import ModelInput

PATIENT = "Mustermann^Erika"


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Three slices, 5 mm apart, of a patient."""
    folder = tmp_path / "study"
    folder.mkdir()
    for name, place in (("c", 0.0), ("a", 10.0), ("b", 5.0)):
        pixels = (RAMP + int(place)).astype(np.int16)
        written(folder / name, ct_slice(place, pixels=pixels, PatientName=PATIENT, PatientID="X123", PatientAge="041Y"))
    return folder


def opened(path: Path) -> Layer:
    """Open the only layer of a path as napari does."""
    read_layers = reader(str(path))
    assert read_layers is not None
    ((data, options, kind),) = read_layers(str(path))
    return ViewerModel().add_layer(Layer.create(data, options, kind))


def test_a_series_is_one_layer_with_scale_and_window_and_without_the_patient(series: Path, viewer) -> None:
    (layer,) = viewer.open(str(series), plugin="napari-webipred")
    assert layer.name == "CT series 3"
    assert layer.metadata == {"modality": "CT", "series": 3, "frames": 3}
    assert layer.data.shape == (3, *RAMP.shape)
    assert layer.axis_labels == ("z", "y", "x")
    np.testing.assert_allclose(layer.scale, (5, 0.5, 0.25))
    np.testing.assert_allclose(layer.contrast_limits, (-160, 239))
    assert [int(layer.data[place, 0, 0]) for place in range(3)] == [-1024, -1019, -1014]
    assert [int(each) for each in layer.data[:, 0, 0]] == [-1024, -1019, -1014]
    viewer.dims.set_current_step(0, 2)
    assert int(np.asarray(layer._data_view)[0, 0]) == -1014


def test_a_layer_gives_the_same_input_as_its_files_and_follows_its_contrast_limits(series: Path) -> None:
    import napari_webipred as wp

    card = wp.open_model("demo").card
    layer = opened(series)
    (of_files,), _ = find_sources(series)
    of_layer = source_of(layer)
    tensors = [prepared_plane(Plane(0, each, (1,)), card, Options()).tensor for each in (of_files, of_layer)]
    np.testing.assert_array_equal(*tensors)
    from msgspec.structs import replace

    narrow = replace(of_layer, intensity_range=(0.0, 10.0))
    assert not np.array_equal(prepared_plane(Plane(0, narrow, (1,)), card, Options("limits")).tensor, tensors[0])


def test_the_files_of_a_series_are_written_as_code(series: Path) -> None:
    import napari_webipred as wp

    (source,), _ = find_sources(series)
    source = take_planes(source, {"z": slice(0, 3, 2)})
    target = Target([], (), series, source)
    image = image_input(target, source)
    assert image.steps is None
    scope: dict = {}
    exec(script.python_of_files([image], ModelInput("demo"), {}, ""), scope)
    assert scope["table"].equals(wp.classify([source], "demo"))
    assert scope["table"]["z"].tolist() == [0, 2]


def test_times_of_a_series_are_an_axis_of_the_layer(tmp_path: Path) -> None:
    for number in range(6):
        pixels = np.full_like(RAMP, number)
        written(tmp_path / str(number), ct_slice(5 * (number % 3), number, pixels, AcquisitionNumber=number // 3))
    layer = opened(tmp_path)
    assert layer.axis_labels == ("t", "z", "y", "x")
    np.testing.assert_allclose(layer.scale, (1, 5, 0.5, 0.25))
    np.testing.assert_array_equal(np.asarray(layer.data)[:, :, 0, 0], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(layer.data[:, 1, 0, 0], [1, 4])
    assert layer.data[0, 2:2].shape == (0, *RAMP.shape)
    assert int(layer.data[1, -1, 3, 4]) == 5


def test_an_inverted_image_is_shown_inverted(tmp_path: Path) -> None:
    path = written(tmp_path / "x.dcm", dataset(RAMP, "CR", PhotometricInterpretation="MONOCHROME1"))
    layer = opened(path)
    assert layer.colormap.name == "gray_r"
    assert tuple(layer.contrast_limits) == (-1024, 1023)
    assert layer.scale.tolist() == [1, 1]


def test_values_of_a_dose_beyond_31_bits_keep_their_sign(tmp_path: Path) -> None:
    dose = np.array([[0, 2**31], [2**31 + 2**20, 2**32 - 2**12]], np.uint32)
    layer = opened(written(tmp_path / "x.dcm", dataset(dose)))
    np.testing.assert_array_equal(np.asarray(layer.data), dose)


def test_files_of_a_folder_that_cannot_be_opened_are_told(series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(dicom_layers, "show_info", said.append)
    opened(series)
    assert said == []
    for name in ("d", "e"):
        written(series / name, ct_slice(15, Rows=0))
    assert opened(series).data.shape == (3, *RAMP.shape)
    assert said == ["d: The image has 64x0 pixels. Export the image again. 1 more could not be opened."]


def test_a_slice_that_cannot_be_read_costs_the_viewer_none_of_the_others(
    series: Path, viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(dicom_layers, "show_info", said.append)
    (series / "b").write_bytes((series / "b").read_bytes()[:-100])  # the one that is shown first
    viewer.open(str(series), plugin="napari-webipred")
    (layer,) = viewer.layers
    assert not np.asarray(layer.data[1]).any()
    for place in (0, 1, 2):
        viewer.dims.set_current_step(0, place)
    assert int(np.asarray(layer._data_view)[0, 0]) == -1014
    assert said == [
        "study: The file is cut short. The slice is b. It is shown blank. "
        "Choose another file, or download or copy this one again."
    ]
    with pytest.raises(ImageError, match="The slice is b"):
        read(source_of(layer), (1,))  # which is classified


def test_the_limits_of_a_series_without_a_window_are_those_of_its_first_slice_that_can_be_read(tmp_path: Path) -> None:
    for place in (0.0, 5.0):
        slice_ = ct_slice(place, pixels=(RAMP + int(place)).astype(np.int16))
        del slice_.WindowCenter, slice_.WindowWidth
        written(tmp_path / f"{place}", slice_)
    (tmp_path / "0.0").write_bytes((tmp_path / "0.0").read_bytes()[:-100])
    assert tuple(opened(tmp_path).contrast_limits) == (-1019, 1028)


def test_frames_in_colours_are_planes(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 8, 9, 3), dtype=np.uint8)
    path = written(tmp_path / "x.dcm", dataset(frames, "US", samples=3))
    layer = opened(path)
    assert layer.rgb
    np.testing.assert_array_equal(layer.data[2], frames[2])
    np.testing.assert_array_equal(np.asarray(layer.data), frames)


def test_nothing_else_is_claimed(tmp_path: Path) -> None:
    for name in ("x.png", "x.dcm"):
        (tmp_path / name).write_bytes(b"no DICOM" * 40)
        assert reader(str(tmp_path / name)) is None
    assert reader(str(tmp_path)) is None


def test_the_panel_offers_the_windows_of_the_file_that_is_shown(qtbot) -> None:
    choice = IntensityChoice(Theme(SimpleNamespace(theme="dark")))
    qtbot.addWidget(choice)
    choice.offer_windows(["BODY", "LUNG", "3"])
    shown = [choice.mode.itemText(row) for row in range(choice.mode.count())]
    assert shown[-2:] == ["Window of the file: LUNG", "Window of the file: 3"]  # the first is the automatic one
    choice.set_value("window LUNG")
    choice.offer_windows([])  # another image is shown
    assert choice.value() == "window LUNG"
    choice.set_value("auto")
    choice.offer_windows(["A", "B"])
    assert choice.mode.count() == len(shown) - 1
    assert Options(intensity=choice.value()) == Options()


def test_a_folder_in_the_list_opens_the_series_of_a_row_at_its_slice(series: Path, qtbot) -> None:
    viewer, images = ViewerModel(), Images()
    choice = ImageChoice(viewer, images, Theme(SimpleNamespace(theme="dark")))
    qtbot.addWidget(choice)
    choice.add([series])
    qtbot.waitUntil(lambda: not images.files[0].finding)
    ((target, source),) = sources_of(images.files[0], images, "all", None)
    assert len(source) == 3
    assert source.name == str(Path("study") / "CT series 3")
    OpenedFiles(viewer, images, RowPlaces(), choice).show(target, (2,))
    (layer,) = viewer.layers
    assert layer.name == "CT series 3"
    assert viewer.dims.current_step[0] == 2
