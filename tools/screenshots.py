"""Make the screenshots in docs/images from the real panel; on a display, or with ``xvfb-run -a``.

Names of scenes, such as ``performance evaluation comparison``, make only these.

Zenodo is imitated as in the tests: no network is used, and the records in the screenshots do not exist.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
WINDOW = (1400, 900)
PANEL = 380  # the width at which all of it has to be readable
SECONDS = 240
DAY = 24 * 60 * 60
SERIES = 120  # how often the focus series is repeated, so that its run can be seen running


def main() -> None:
    wanted = sys.argv[1:]
    if unknown := set(wanted) - {scene.__name__ for scene in SCENES}:
        sys.exit(f"There is no scene {min(unknown)}. Choose from {', '.join(scene.__name__ for scene in SCENES)}.")
    with tempfile.TemporaryDirectory() as folder:
        # Neither the user's preferences nor the user's models may show.
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "settings.yaml")
        IMAGES.mkdir(parents=True, exist_ok=True)
        for theme in ("dark", "light"):
            cache = Path(folder) / theme / "napari-webipred"
            os.environ["NAPARI_WEBIPRED_CACHE"] = str(cache)
            for scene in SCENES:
                if not wanted or scene.__name__ in wanted:
                    scene(theme, Path(folder))


def empty_to_results(theme: str, folder: Path) -> None:
    viewer, panel = opened(theme)
    take(viewer, panel, f"panel-empty-{theme}")
    choose_demo(viewer, panel)
    take(viewer, panel, f"panel-model-{theme}")
    panel.model.more.click()
    take(viewer, panel, f"panel-about-{theme}")
    panel.model.more.click()
    panel.classify.button.click()
    wait(lambda: not panel._session.run.running)
    entries = panel.results.visible_entries()
    for place, entry in enumerate(entries):
        if entry.row.prediction != entries[0].row.prediction:
            panel.results.table.selectRow(place)
            break
    take(viewer, panel, f"panel-results-{theme}")
    viewer.close()


def running(theme: str, folder: Path) -> None:
    import numpy as np

    viewer, panel = opened(theme)
    choose_demo(viewer, panel)
    grid(viewer).enabled = False
    viewer.layers.clear()
    (series,) = viewer.open_sample("napari-webipred", "focus-series")
    series.data = np.tile(series.data, (SERIES, 1, 1))
    viewer.dims.set_point(0, len(series.data) // (2 * SERIES))
    viewer.reset_view()
    panel.classify.button.click()
    wait(lambda: len(panel._session.run.rows) > panel._session.run.details.total // 3)
    take(viewer, panel, f"panel-running-{theme}")
    panel.classify.progress.cancel.click()
    wait(lambda: not panel._session.run.running)
    viewer.close()


def along(theme: str, folder: Path) -> None:
    """Show what the model says of a stack along its axis."""
    viewer, panel = opened(theme)
    choose_demo(viewer, panel)
    grid(viewer).enabled = False
    viewer.layers.clear()
    viewer.open_sample("napari-webipred", "focus-series")
    panel.classify.button.click()
    wait(lambda: panel._session.run is not None and not panel._session.run.running)
    panel._session.display.axis = panel._session.run.details.axes[0]
    panel.results.detail.refresh()
    viewer.dims.set_point(0, 5)
    for section in panel.sections[1:3]:
        section.header.setChecked(False)
    take(viewer, panel, f"panel-plot-{theme}")
    viewer.close()


def regions(theme: str, folder: Path) -> None:
    """Show the classes of the shapes that are drawn over an image."""
    import numpy as np

    viewer, panel = opened(theme)
    choose_demo(viewer, panel)
    grid(viewer).enabled = False
    for layer in list(viewer.layers)[1:]:
        viewer.layers.remove(layer)
    top, bottom, left, right = 20, 130, 20, 150
    corners = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
    triangle = np.array([[180, 40], [300, 20], [290, 160]])
    data = [(corners, "rectangle"), (corners + np.array([0, 155]), "ellipse"), (triangle, "polygon")]
    cells = viewer.add_shapes([*data, (corners + np.array([160, 155]), "rectangle")], name="cells", edge_width=3)
    viewer.reset_view()
    panel.form.regions.value = cells
    wait(lambda: not panel.form.finder.searching and panel.classify.button.isEnabled())
    panel.classify.button.click()
    wait(lambda: panel._session.run is not None and not panel._session.run.running)
    wait(lambda: not panel._session.regions.busy)
    viewer.layers.selection.active = cells
    panel.sections[2].header.setChecked(False)
    take(viewer, panel, f"panel-regions-{theme}")
    viewer.close()


def review(theme: str, folder: Path) -> None:
    """Show a row under review, whose file is not open."""
    viewer, panel = opened(theme)
    choose_model(panel, "demo")
    panel.images.choice.add(known_images(folder / f"review-{theme}")[:12])
    wait(lambda: panel.classify.button.isEnabled() and len(panel.form.images.value) == 12)
    panel.classify.button.click()
    wait(lambda: panel._session.run is not None and not panel._session.run.running)
    for section in panel.sections[:3]:
        section.header.setChecked(False)
    panel.results.buttons.review.click()
    panel.review._start.start.click()
    view = panel.review.view
    for answer in (view.agree, view.agree, view.unsure, view.agree):
        answer()
        wait(lambda: not panel.review.image.busy)
    take(viewer, panel, f"panel-review-{theme}")
    viewer.close()


def own_classes(theme: str, folder: Path) -> None:
    """Show the way from two names to a model: the empty dock, labelling, and the model in the list."""
    from napari_webipred._napari.own_classes.label_view import HINT
    from napari_webipred._napari.own_classes.own_classes_widget import OwnClassesWidget

    viewer, panel = opened(theme)
    viewer.window._qt_window.resize(WINDOW[0], 1000)
    choose_model(panel, "demo")
    images = [
        path for path in known_images(folder / f"own-{theme}") if path.parent.name in ("sharp", "blurred", "noisy")
    ]
    panel.images.choice.add(images)
    wait(lambda: len(panel.form.images.value) == len(images))
    for section in panel.sections[1:]:
        section.header.setChecked(False)
    panel.model.own.click()
    (view,) = viewer.window._qt_window.findChildren(OwnClassesWidget)
    own = view.own
    wait(lambda: own.features.done == len(images))
    settle()
    viewer.screenshot(str(IMAGES / f"own-classes-start-{theme}.png"), canvas_only=False, flash=False)
    for name in ("good", "spoilt"):
        view.classes.field.setText(name)
        view.classes.add.click()
    for _ in range(40):
        view.labels.choose(int(Path(own.item.picture.image).parent.name != "sharp"))
        wait(lambda: not own.learning.busy and not view.image.busy)
    wait(lambda: own.learning.is_judged)
    view.labels.setFocus()
    view.labels.form.hint.setText(HINT)  # the window of a script is not active
    view.scroll.ensureWidgetVisible(view.table)
    settle()
    viewer.screenshot(str(IMAGES / f"own-classes-labels-{theme}.png"), canvas_only=False, flash=False)
    view.model.name.setText("Good or spoilt")
    view.model.use.click()
    wait(
        lambda: panel._session.loading.model is not None and panel._session.loading.model.classes == ["good", "spoilt"]
    )
    view.scroll.verticalScrollBar().setValue(view.scroll.verticalScrollBar().maximum())
    settle()
    viewer.screenshot(str(IMAGES / f"own-classes-model-{theme}.png"), canvas_only=False, flash=False)
    dock = view.parent()
    dock.setFloating(True)
    for width in (300, PANEL, 900):
        dock.resize(width, 1180)
        settle()
        shot(view, f"own-classes-{width}-{theme}")
    viewer.close()


def publishing(theme: str, folder: Path) -> None:
    """Make a model of own classes, and show the form that publishes it."""
    import napari_webipred as wp
    from napari_webipred._napari.publishing.publish_dialog import PublishDialog

    images = known_images(folder / f"published-{theme}")
    labels = ["good" if path.parent.name == "sharp" else "spoilt" for path in images]
    own = folder / f"good-or-spoilt-{theme}.zip"
    wp.fit_head([str(path) for path in images], labels, base="demo", name="Good or spoilt").save(own)
    viewer, panel = opened(theme)
    panel._session.catalogue.add(own)
    wait(lambda: panel._session.loading.model is not None)
    panel.model._on_publish(panel._session.loading.entry)
    dialog = panel.window().findChild(PublishDialog)
    wait(lambda: not dialog.form.isHidden())
    shot(dialog, f"publish-{theme}")
    dialog.reject()
    viewer.close()


def maps(theme: str, folder: Path) -> None:
    """Show what speaks for a class: over an image that is scaled and turned, over a plane of a stack, by occlusion."""
    from napari_webipred.imaging.readers import file_source, read
    from napari_webipred.samples import sample_images

    viewer, panel = opened(theme)
    choose_model(panel, "demo")
    path = next(path for path in sample_images() if "retina" in path.stem)
    viewer.add_image(read(file_source(path), ()), name="retina", scale=(0.6, 1.1), rotate=25)
    explain = panel.results.detail.explain
    explain_all(panel)
    take(viewer, panel, f"map-rotated-{theme}")
    viewer.layers.clear()
    viewer.open_sample("napari-webipred", "focus-series")
    explain_all(panel)
    viewer.dims.set_point(0, 5)
    take(viewer, panel, f"map-stack-{theme}")
    explain.menu.signed.setChecked(True)
    take(viewer, panel, f"map-signed-{theme}")
    explain.menu.signed.setChecked(False)
    panel.results.table.selectAll()
    explain.menu.occlusion.trigger()
    wait(lambda: " parts " in explain.progress.words.text() and panel._session.maps.progress.done > 2)
    take(viewer, panel, f"map-occlusion-{theme}")
    explain.progress.cancel.click()
    wait(lambda: panel._session.maps.progress is None)
    viewer.close()


def explain_all(panel) -> None:
    """Classify all images, and explain all rows."""
    panel.classify.button.click()
    wait(lambda: panel._session.run is not None and not panel._session.run.running)
    for section in panel.sections[1:3]:
        section.header.setChecked(False)
    panel.results.detail.explain.explain_run()
    wait(lambda: panel._session.maps.progress is None)
    panel.results.table.selectRow(len(panel.results.visible_entries()) - 1)


def preview(theme: str, folder: Path) -> None:
    """Show what the model sees, in its own dock below the panel."""
    from napari_webipred._napari.images.preview import PreviewWidget

    viewer, panel = opened(theme)
    choose_demo(viewer, panel)
    grid(viewer).enabled = False
    viewer.layers.clear()
    viewer.open_sample("napari-webipred", "focus-series")
    panel.sections[0].header.setChecked(False)
    panel.images.preview.click()
    (view,) = viewer.window._qt_window.findChildren(PreviewWidget)
    wait(lambda: view.shown is not None)
    settle()
    viewer.screenshot(str(IMAGES / f"panel-preview-{theme}.png"), canvas_only=False, flash=False)
    view.grab().save(str(IMAGES / f"preview-{theme}.png"))
    viewer.close()


def heatmap(theme: str, folder: Path) -> None:
    """Show a heat map that grows over a slide, and the finished one with its slider of classes."""
    viewer, panel = opened(theme)
    choose_model(panel, "demo")
    levels = slide(folder / "slide.zarr")
    viewer.add_image(levels, multiscale=True, rgb=True, name="slide", scale=(0.5, 0.5), units=("um", "um"))
    wait(panel.classify.button.isEnabled)
    for section in panel.sections[:2]:
        section.header.setChecked(False)
    panel.classify.heat_map.click()
    _, view = viewer.window.add_plugin_dock_widget("napari-webipred", "Heat map")
    wait(lambda: not view.latest.busy)
    take(viewer, view, f"heatmap-form-{theme}")
    view.button.click()
    wait(lambda: view.view.run.shown is not None)
    view.view.classes.setCurrentIndex(1)
    view.view.classes.activated.emit(1)
    wait(lambda: view.view.run.done > 0.45 * view.view.run.total)
    take(viewer, view, f"heatmap-growing-{theme}")
    wait(lambda: not view.view.run.running)
    wait(lambda: not view.latest.busy)
    take(viewer, view, f"heatmap-finished-{theme}")
    viewer.close()


def slide(path: Path) -> list:
    """Make a picture of 10,240 x 10,240 pixels with levels: tissue on glass, out of focus in one place."""
    import numpy as np
    import zarr
    from scipy.ndimage import gaussian_filter

    from napari_webipred.imaging.readers import file_source, read
    from napari_webipred.samples import sample_images

    side, block, steps = 10_240, 2048, (1, 2, 4, 8, 16)
    if not path.exists():
        piece = read(file_source(next(each for each in sample_images() if each.stem == "tissue_sharp")), ())
        piece = np.concatenate([piece, piece[::-1]])
        piece = np.concatenate([piece, piece[:, ::-1]], axis=1)  # without seams
        noise = gaussian_filter(np.random.default_rng(4).normal(size=(640, 640)), 20)
        noise /= noise.std()
        rows, columns = np.mgrid[:640, :640] / 640
        tissue = np.hypot(rows - 0.5, 1.2 * (columns - 0.5)) + 0.04 * noise < 0.38
        blurred = np.hypot(rows - 0.42, columns - 0.6) + 0.03 * noise < 0.15
        group = zarr.open_group(path, mode="w")
        for number, step in enumerate(steps):
            sharp = gaussian_filter(piece, (step / 2, step / 2, 0)) if step > 1 else piece
            looks = [
                np.tile(each, (block // len(each) + 2, block // len(each[0]) + 2, 1))
                for each in (sharp[::step, ::step], gaussian_filter(piece, (9, 9, 0), mode="wrap")[::step, ::step])
            ]
            length = side // step
            level = group.create_array(str(number), shape=(length, length, 3), chunks=(512, 512, 3), dtype="uint8")
            for top in range(0, length, block):
                for left in range(0, length, block):
                    down, across = (range(at, min(at + block, length)) for at in (top, left))
                    places = np.ix_(np.array(down) * step * 640 // side, np.array(across) * step * 640 // side)
                    first = [at % len(sharp[::step]) for at in (top, left)]
                    window = tuple(slice(at, at + len(along)) for at, along in zip(first, (down, across), strict=True))
                    pixels = np.where(blurred[places][..., None], looks[1][window], looks[0][window])
                    level[down.start : down.stop, across.start : across.stop] = np.where(
                        tissue[places][..., None], pixels, 243
                    )
    group = zarr.open_group(path, mode="r")
    return [group[str(number)] for number in range(len(steps))]


def performance(theme: str, folder: Path) -> None:
    """Show what was published about a model."""
    from napari_webipred._napari.evaluation.performance import Performance

    viewer, panel = opened(theme)
    names = [entry.card.id for entry in panel._session.catalogue.models.items]
    panel.model.choice.list.setCurrentIndex(panel.model.choice.filter.index(names.index("webipred-16"), 0))
    panel.model.performance.click()
    dialog = panel.model.findChild(Performance)
    for plot in ("summary", "confusion"):
        dialog.pane.show_plot(plot)
        wait(lambda: not dialog.pane.drawing)
        shot(dialog, f"performance-{plot}-{theme}")
    viewer.close()


def evaluation(theme: str, folder: Path) -> None:
    """Show how the demonstration model does on images with known classes, in a dock below the panel."""
    images = known_images(folder / "known")
    viewer, panel = opened(theme)
    viewer.window._qt_window.resize(WINDOW[0], 1000)
    names = [entry.card.id for entry in panel._session.catalogue.models.items]
    panel.model.choice.list.setCurrentIndex(panel.model.choice.filter.index(names.index("demo"), 0))
    wait(lambda: panel._session.loading.model is not None)
    panel.images.choice.add(images)
    wait(panel.classify.button.isEnabled)
    panel.classify.button.click()
    wait(lambda: panel._session.run is not None and not panel._session.run.running)
    view = evaluated(viewer, panel)
    for section in panel.sections[:3]:
        section.header.setChecked(False)
    for plot in ("confusion", "reliability", "roc", "bars", "summary", "thresholds", "calibration"):
        view.pane.show_plot(plot)
        wait(lambda: not view.pane.drawing)
        if plot == "confusion":
            area = next(each for each in view.pane.view.picture.areas if (each.row, each.column) == (0, 1))
            view.pane.view._choose(area)
        settle()
        viewer.screenshot(str(IMAGES / f"evaluation-{plot}-{theme}.png"), canvas_only=False, flash=False)
        shot(view, f"evaluation-{plot}-{theme}-detail")
    viewer.close()


def comparison(theme: str, folder: Path) -> None:
    """Show how far three models agree about the same images, of which one calls its classes differently."""
    import numpy as np

    from napari_webipred._napari.evaluation.evaluation_widget import EvaluationWidget
    from napari_webipred._napari.images.place import Target
    from napari_webipred.card import named
    from napari_webipred.results.row import Row

    viewer, panel = opened(theme)
    viewer.window._qt_window.resize(WINDOW[0], 1000)
    session, table = panel._session, panel._session.table
    card = next(entry.card for entry in session.catalogue.models.items if entry.card.id == "demo")
    random = np.random.default_rng(0)
    logits = random.normal(0, 2.5, (200, len(card.classes)))
    others = named(["Sharp", "out of focus", "noisy", "too bright", "too dark"])
    for number, (name, classes) in enumerate((("", card.classes), (", trained again", card.classes), (" 2", others))):
        own = card.model_copy(update={"name": f"{card.name}{name}", "classes": tuple(classes)})
        run = table.begin(own, "", {"threshold": 0.5}, (), len(logits))
        session.places.begin(run.number, [Target([])])
        numbers = np.exp(logits + number * random.normal(0, 1.2, logits.shape))
        numbers = (numbers / numbers.sum(1, keepdims=True)).astype(np.float32)
        rows = [
            Row(0, f"{place:03}.png", {}, each, own.class_names[each.argmax()], (int(each.argmax()),))
            for place, each in enumerate(numbers)
        ]
        table.append(run, rows)
    session.rows_changed.emit()
    panel._summarise()
    panel.results.buttons.evaluate.click()
    (view,) = viewer.window._qt_window.findChildren(EvaluationWidget)
    view.labels.source.setCurrentIndex(view.labels.source.findData("run"))
    for box in view.labels.others.boxes.values():
        box.setChecked(True)
    settle()
    shot(view, f"comparison-choice-{theme}")
    for name, same in zip(others, card.class_names, strict=True):
        if box := view.labels.mapping.choices[3].get(name.name):
            box.setCurrentIndex(box.findData(same))
    view.evaluate.click()
    wait(lambda: not view.summary.isHidden() or view.message.text != "")
    for plot in ("agreement", "classes", "apart"):
        view.pane.show_plot(plot)
        wait(lambda: not view.pane.drawing)
        shot(view, f"comparison-{plot}-{theme}")
    view.compared.method.setCurrentIndex(view.compared.method.findData("weighted"))
    view.compared.start()
    wait(lambda: len(table.runs) == 4 and "Run 4" in view.message.text)
    shot(view, f"comparison-ensemble-{theme}")
    viewer.close()


def archive(theme: str, folder: Path) -> None:
    """Show a search in an archive, which is imitated: its patients do not exist."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "pacs")]
    import servers

    from napari_webipred._napari.pacs.connection_form import ConnectionForm
    from napari_webipred.pacs import connection_file, secret
    from napari_webipred.pacs.connection import Connection

    slices = ct_series(folder / f"archive-{theme}")
    studies = [
        ("Beispiel^Anna", "P-2041", "20260112", ["CT"], "Abdomen", 24),
        ("Exemple^Jean", "P-2077", "20260203", ["CT", "SR"], "Thorax", 24),
        ("Muster^Jörg", "P-2112", "20260219", ["CR"], "Thorax p.a.", 1),
    ]

    def value(kind: str, *values):
        return {"vr": kind, "Value": list(values)}

    def answer(request) -> None:
        if request.place.endswith("/studies"):
            request.send_json(
                [
                    {
                        "0020000D": value("UI", f"1.2.{number}"),
                        "00100010": value("PN", {"Alphabetic": name}),
                        "00100020": value("LO", patient),
                        "00080020": value("DA", date),
                        "00080061": value("CS", *kinds),
                        "00081030": value("LO", about),
                        "00201208": value("IS", count),
                    }
                    for number, (name, patient, date, kinds, about, count) in enumerate(studies)
                ]
            )
        elif request.place.endswith("/series"):
            series = {"0020000E": value("UI", "1.3"), "00080060": value("CS", "CT"), "00200011": value("IS", 3)}
            request.send_json([series | {"0008103E": value("LO", "5 mm"), "00201209": value("IS", 24)}])
        elif request.place.endswith("/instances"):
            request.send_json([{"00080018": value("UI", f"1.4.{n}"), "00200013": value("IS", n)} for n in range(24)])
        else:
            number = int(request.place.rpartition(".")[2])
            request.send_parts([(slices / f"IM{number:04}").read_bytes()])

    with servers.web(answer) as server:
        address = f"http://127.0.0.1:{server.server_port}/dicom-web"
        known = Connection("hospital", "dicomweb", address, user="jane")
        connection_file.add(known)
        secret.remember(known, "not written down")
        viewer, panel = opened(theme)
        panel.images.choice.file_buttons.archive.click()
        dialog = panel.images.choice.archive.dialog
        wait(lambda: dialog._task is None)
        dialog.form.fields["date"].setText("2026-01-01..2026-02-28")
        dialog.search.click()
        wait(lambda: dialog._task is None)
        dialog.tree.topLevelItem(0).setExpanded(True)
        wait(lambda: dialog._task is None)
        dialog.tree.setCurrentItem(dialog.tree.topLevelItem(0).child(0))
        wait(dialog.preview.isEnabled)
        dialog.preview.click()
        wait(lambda: dialog._task is None)
        shot(dialog, f"archive-{theme}")
        dialog.edit.click()
        shot(dialog.findChild(ConnectionForm), f"archive-settings-{theme}")
        dialog.close()
        viewer.close()
    connection_file.remove("hospital")


def report(theme: str, folder: Path) -> None:
    """Show the dialog for a report that goes to a FHIR server, and a page in a browser."""
    import shutil
    import subprocess

    from napari_webipred._napari.reports.report_dialog import ReportDialog
    from napari_webipred.results.reading import Reading, now

    viewer, panel = opened(theme)
    viewer.open(ct_series(folder / f"report-{theme}"), plugin="napari-webipred")
    choose_model(panel, "demo")
    panel.classify.button.click()
    wait(lambda: panel._session.run is not None and not panel._session.run.running)
    for number in range(0, 24, 2):
        row = panel._session.table.entry(number).row
        panel._session.read(number, Reading((row.prediction,), "agreed" if number == 4 else "", now()))
    panel.results.buttons.menu.report.trigger()
    dialog = panel.window().findChild(ReportDialog)
    dialog.reader.setText("Rita Reader")
    dialog.organisation.setText("City Hospital")
    dialog.kind.setCurrentIndex(dialog.kind.findData("fhir"))
    dialog.target.where.setCurrentIndex(dialog.target.where.findData("fhir"))
    dialog.target.address.setText("https://ehr.example/fhir")
    shot(dialog, f"report-{theme}")
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if browser is not None:
        from napari_webipred._napari.reports.report_file import Asked, saving
        from napari_webipred.steps import result_of

        page = folder / f"page-{theme}.html"
        asked = Asked("html", True, False, "Rita Reader", "City Hospital")
        sources = [source for source in panel._session.maps.sources.sources(1) if source is not None]
        result_of(saving(dialog._rows(), sources, asked, page))
        image = IMAGES / f"report-page-{theme}.png"
        colours = ["--blink-settings=preferredColorScheme=0"] if theme == "dark" else []
        profile = f"--user-data-dir={folder / 'profile'}"
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=900,1200",
            "--hide-scrollbars",
            profile,
        ]
        command = [browser, *options, *colours, f"--screenshot={image}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True)
        print(f"docs/images/{image.name}")
    dialog.reject()
    viewer.close()


def medical(theme: str, folder: Path) -> None:
    """Show DICOM: a CT series that is made here, and a radiograph and a loop that pydicom has for tests."""
    import data_store

    tested = Path(data_store.__file__).parent / "data"
    scenes = (
        ("ct", ct_series(folder / f"ct-{theme}"), 9),
        ("cr", tested / "RG1_UNCR.dcm", None),
        ("us", tested / "color3d_jpeg_baseline.dcm", 40),
    )
    for name, path, plane in scenes:
        viewer, panel = opened(theme)
        choose_model(panel, "demo")
        viewer.open(path, plugin="napari-webipred")
        viewer.reset_view()
        settle()
        panel.classify.button.click()
        wait(lambda panel=panel: panel._session.run is not None and not panel._session.run.running)
        for section in panel.sections[1:3]:
            section.header.setChecked(False)
        panel.results.table.selectRow(plane or 0)
        if plane is not None:
            viewer.dims.set_point(0, plane * viewer.layers[0].scale[0])
        take(viewer, panel, f"dicom-{name}-{theme}")
        viewer.close()


def ct_series(folder: Path) -> Path:
    """Write slices of a body of ellipses, 5 mm apart, with noise as of a scanner."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    sys.path.insert(0, str(ROOT / "tests"))
    from dicom_maker import ct_slice, written

    folder.mkdir()
    random = np.random.default_rng(0)
    down, across = np.mgrid[-1:1:256j, -1:1:256j]

    def inside(row: float, column: float, height: float, width: float):
        return ((down - row) / height) ** 2 + ((across - column) / width) ** 2 < 1

    for number in range(24):
        along = np.sin(np.pi * (number + 4) / 32)
        slice_ = np.full(down.shape, -1000.0)
        slice_[inside(0, 0, 0.62, 0.9)] = -90
        slice_[inside(0, 0, 0.57, 0.84)] = 45
        for side in (-1, 1):
            slice_[inside(-0.05, side * 0.42, 0.42 * along, 0.28 * along)] = -830
            slice_[inside(0.1, side * 0.5, 0.05, 0.05)] = 20 if number % 5 else -830
        slice_[inside(-0.12, 0.08, 0.25 * along, 0.2 * along)] = 130
        slice_[inside(0.4, 0, 0.13, 0.11)] = 420
        slice_[inside(0.36, 0, 0.04, 0.05)] = 20
        pixels = np.round(gaussian_filter(slice_ + random.normal(0, 25, slice_.shape), 0.8)).astype(np.int16)
        written(folder / f"IM{number:04}", ct_slice(5.0 * number, number, pixels, PixelSpacing=[1.5, 1.5]))
    return folder


def evaluated(viewer, panel):
    """Evaluate the last run by the names of the folders."""
    from napari_webipred._napari.evaluation.evaluation_widget import EvaluationWidget

    panel.results.buttons.evaluate.click()
    (view,) = viewer.window._qt_window.findChildren(EvaluationWidget)
    view.labels.source.setCurrentIndex(view.labels.source.findData("folders"))
    view.fits.rule.setCurrentIndex(view.fits.rule.findData("sensitivity=0.95"))
    view.fits.calibrate.setChecked(True)
    view.evaluate.click()
    wait(lambda: view.outcome is not None or view.message.text != "")
    return view


def known_images(folder: Path) -> list[Path]:
    """Write parts of photographs, sharp and spoilt in four ways, into folders that are called like the classes."""
    import numpy as np
    from PIL import Image
    from scipy.ndimage import gaussian_filter
    from skimage import data

    random = np.random.default_rng(0)
    ways = {
        "sharp": lambda x: x,
        "blurred": lambda x: gaussian_filter(x, random.uniform(0.5, 2.5)),
        "noisy": lambda x: x + random.normal(0, random.uniform(4, 25), x.shape),
        "overexposed": lambda x: 255 - (255 - x) * random.uniform(0.1, 0.6),
        "underexposed": lambda x: x * random.uniform(0.1, 0.6),
    }
    paths = []
    for number in range(30):
        for name, way in ways.items():
            whole = (data.coins, data.camera, data.moon)[number % 3]().astype(np.float64)
            top, left = (random.integers(max(length - 160, 1)) for length in whole.shape)
            path = folder / name / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            spoilt = np.clip(way(whole[top : top + 160, left : left + 160]), 0, 255)
            Image.fromarray(spoilt.astype(np.uint8)).save(path)
            paths.append(path)
    return paths


def models_from_elsewhere(theme: str, folder: Path) -> None:
    """Search, download, an error, the form for what a model does not say, and the models on this machine."""
    sys.path.insert(0, str(ROOT / "tests"))
    from zenodo_server import ZenodoServer, model_zip

    zenodo = ZenodoServer()
    os.environ["NAPARI_WEBIPRED_ZENODO_URL"] = zenodo.url
    try:
        publish(zenodo)
        viewer, panel = opened(theme)
        dock = viewer.window._qt_window.findChildren(type(panel.parent()))[-1]
        dock.setFixedWidth(PANEL)
        searching(panel, theme)
        downloading(zenodo, panel, theme)
        failing(zenodo, panel, theme)
        own = folder / "my-model.zip"
        own.write_bytes(model_zip(classes=3))
        panel.model.choice.search.clear()
        panel._session.catalogue.add(own)
        wait(lambda: not panel.model.settings.native.isHidden())
        part(panel, f"form-{theme}")
        dialogs(panel, theme)
        viewer.close()
    finally:
        zenodo.close()
        del os.environ["NAPARI_WEBIPRED_ZENODO_URL"]


def publish(zenodo) -> None:
    """Put records on the imitated server that look like those that there are."""
    from zenodo_server import model_zip

    found = [
        ("Chest radiographs: normal or pneumonia (DenseNet-121)", "chest_tfjs.zip", 28, "Rivera, Ana", "2024-03-18"),
        ("Tuberculosis screening on chest X-ray images, five networks", "densenet.onnx", 31, "Okafor, Chidi", "2023"),
        ("Deep learning for chest X-ray view classification", "view_model.h5", 94, "Lindqvist, Maja", "2022-11-02"),
        ("CheXlite: a small model for phones", "chexlite.keras", 9, "Tanaka, Yuki", "2025-01-27"),
        ("Model of the course on medical imaging", "teachable machine.zip", 2, "Weber, Tom", "2021-06-30"),
        ("Rib fractures in X-ray images", "ribs_tfjs.zip", 17, "Moreau, Lea", "2024-09-09"),
    ]
    records = []
    for number, (title, name, size, author, date) in enumerate(found):
        record = zenodo.publish(
            str(1000001 + 2 * number),
            {name: model_zip(classes=size * 80_000)},  # 12 bytes for a class
            title=title,
            description="Made to show how a record looks in the panel. It does not exist.",
            publication_date=date,
            creators=[{"name": author}, {"name": "Example, Erik"}],
            license={"id": ("cc-by-4.0", "mit", "cc-by-nc-4.0")[number % 3]},
        )
        records.append(record)
    zenodo.found(records, 57)


def searching(panel, theme: str) -> None:
    panel.model.choice.search.setText("chest x-ray")
    part(panel, f"search-{theme}")
    panel.model.choice.search_zenodo.click()
    wait(panel.model.choice.zenodo.progress.isHidden)
    panel.model.choice.zenodo.list.setCurrentIndex(panel.model.choice.zenodo.found.index(0, 0))
    part(panel, f"zenodo-{theme}")


def downloading(zenodo, panel, theme: str) -> None:
    from zenodo_server import Answer

    good = dict(zenodo.answers)
    for path, answer in good.items():
        if path.endswith(("chest_tfjs.zip", "chest_tfjs.zip/content")):
            zenodo.answers[path] = Answer(body=answer.body, stall_after=12_000_000)
    panel.model.choice.zenodo.download.click()
    wait(lambda: "12 MB" in panel.model.opening.progress.words.text())
    part(panel, f"download-{theme}")
    panel.model.opening.progress.cancel.click()
    zenodo.released.set()
    zenodo.answers.update(good)
    wait(panel.model.opening.progress.isHidden)


def failing(zenodo, panel, theme: str) -> None:
    record = zenodo.answers["/api/records/1000001"]
    zenodo.fail("/api/records/1000001", "410_tombstone")
    panel.model.opening.download.click()
    wait(lambda: panel.model.opening.message.text != "")
    part(panel, f"error-{theme}")
    zenodo.answers["/api/records/1000001"] = record


def dialogs(panel, theme: str) -> None:
    """Show the page of models on this machine, with some that were fetched, and the dialog that takes others."""
    from napari_webipred._napari.models.add_model import AddModel
    from napari_webipred._napari.models.stored_models import StoredModels
    from napari_webipred.cache import index, store

    for number in ("1000001", "1000009", "1000011"):
        for _ in store.fetch(index.resolve(number)):
            pass
    for age, entry in enumerate(store.entries()):
        (entry.folder / "used").touch()
        os.utime(entry.folder / "used", (time.time() - 9 * age * DAY,) * 2)
    panel.model.stored.click()
    page = panel.model.findChild(StoredModels)
    wait(page.import_file.isEnabled)
    page.list.setCurrentIndex(page.stored.index(1, 0))
    shot(page, f"stored-models-{theme}")
    importing(page, theme)
    page.reject()
    panel.model.choice.add.click()
    asking = panel.model.findChild(AddModel)
    shot(asking, f"add-model-{theme}")
    asking.reject()


def importing(page, theme: str) -> None:
    """Show the question which model a file is that was downloaded by hand."""
    from napari_webipred._napari.models.which_model import WhichModel
    from napari_webipred.cache import index, known_file

    proposals = [known_file.Proposal(card, "nothing") for card in index.cards() if card.id.startswith("webipred")]
    proposals.sort(key=lambda proposal: proposal.card.id != "webipred-16")
    proposals[0] = known_file.Proposal(proposals[0].card, "name")
    asking = WhichModel("257299_model_converted.zip", proposals, page._theme, page)
    asking.open()
    asking.list.setCurrentIndex(asking.filter.index(0, 0))
    shot(asking, f"import-{theme}")
    asking.reject()


def opened(theme: str):
    """Open napari with the panel."""
    import napari

    viewer = napari.Viewer(show=False, show_welcome_screen=False)
    viewer.theme = theme
    viewer.window.show()
    viewer.window.resize(*WINDOW)
    _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    wait(lambda: panel._session.catalogue.models.rowCount() > 0)
    return viewer, panel


def choose_demo(viewer, panel) -> None:
    """Open the sample images and choose the demonstration model."""
    viewer.open_sample("napari-webipred", "image-quality")
    grid(viewer).enabled = True
    viewer.reset_view()
    choose_model(panel, "demo")


def choose_model(panel, identifier: str) -> None:
    """Choose a model in the list, and wait until it is open."""
    names = [entry.card.id for entry in panel._session.catalogue.models.items]
    panel.model.choice.list.setCurrentIndex(panel.model.choice.filter.index(names.index(identifier), 0))
    wait(lambda: panel._session.loading.model is not None)


def grid(viewer):
    """Images side by side; napari 0.9 keeps it at the canvas."""
    return viewer.canvas.grid if hasattr(viewer, "canvas") else viewer.grid


def wait(condition: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    from qtpy.QtCore import QElapsedTimer, QThread
    from qtpy.QtWidgets import QApplication

    clock = QElapsedTimer()
    clock.start()
    while not condition():
        QApplication.processEvents()
        QThread.msleep(5)
        if clock.elapsed() > 1000 * SECONDS:
            raise TimeoutError("The panel did not come so far.")


def take(viewer, panel, name: str) -> None:
    """Save a screenshot of the window, and one of the panel alone."""
    settle()
    viewer.screenshot(str(IMAGES / f"{name}.png"), canvas_only=False, flash=False)
    panel.grab().save(str(IMAGES / f"{name}-detail.png"))
    print(f"docs/images/{name}.png")


def part(panel, name: str) -> None:
    """Save a screenshot of the first step of the panel."""
    settle()
    bottom = panel.sections[0].mapTo(panel, panel.sections[0].rect().bottomRight()).y()
    shot(panel, name, bottom + 8)


def shot(widget, name: str, height: int | None = None) -> None:
    """Save a screenshot of a widget, or of its upper part."""
    settle()
    widget.grab().copy(0, 0, widget.width(), height or widget.height()).save(str(IMAGES / f"{name}.png"))
    print(f"docs/images/{name}.png")


def settle() -> None:
    """Let everything that is due be painted."""
    from qtpy.QtWidgets import QApplication

    for _ in range(20):
        QApplication.processEvents()


SCENES = (
    empty_to_results,
    running,
    along,
    regions,
    preview,
    maps,
    heatmap,
    review,
    own_classes,
    publishing,
    performance,
    evaluation,
    comparison,
    archive,
    report,
    medical,
    models_from_elsewhere,
)

if __name__ == "__main__":
    main()
