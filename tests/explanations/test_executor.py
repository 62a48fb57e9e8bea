"""Images that are classified and explained in one pass."""

from __future__ import annotations

import numpy as np
import pytest

import napari_webipred as wp
from heads import bright
from napari_webipred import engine
from napari_webipred.errors import ModelError, OptionError
from napari_webipred.explanations.executor import explaining
from napari_webipred.explanations.explaining import Explainer
from napari_webipred.explanations.request import Request
from napari_webipred.options import Options

ALL = Request()


def images(count):
    random = np.random.default_rng(3)
    return [random.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(count)]


def rows(model, given, request=ALL, use=lambda plane: lambda prepared, found: found, **options):
    events = engine.classify(model, given, Options(**options), executor=explaining(request, use))
    return [event.row for event in events if isinstance(event, engine.RowDone)]


@pytest.mark.parametrize("count", [1, 10])
def test_the_numbers_are_those_without_explanations_and_the_maps_those_of_explain(tmp_path, count):
    model, given = bright(tmp_path), images(count)
    found = rows(model, given)
    table = wp.classify(given, model)
    for number, row in enumerate(found):
        np.testing.assert_array_equal(row.probabilities, table.loc[number, model.classes].to_numpy(np.float32))
        for one, other in zip(row.made, wp.explain(given[number], model), strict=True):
            assert one.class_name == other.class_name
            np.testing.assert_array_equal(one.map, other.map)
            assert one.probability == other.probability


def test_only_the_most_probable_classes_are_explained_on_request(tmp_path):
    model, given = bright(tmp_path), images(2)
    for row in rows(model, given, Request(most=1)):
        assert [each.class_name for each in row.made] == [model.classes[int(row.probabilities.argmax())]]


def test_an_image_that_cannot_be_read_or_explained_costs_the_others_nothing(tmp_path):
    model, given = bright(tmp_path), [*images(2), "missing.png"]

    def use(plane):
        def used(prepared, found):
            if plane.number == 0:
                raise ModelError("There is no memory.")
            return len(found)

        return used

    first, second, third = rows(model, given, use=use)
    assert (first.made, first.unexplained, first.failed) == (None, "There is no memory.", False)
    assert (second.made, second.unexplained) == (3, "")
    assert (third.made, third.failed) == (None, True)


@pytest.mark.parametrize("request_", [Request(["none"]), Request(method="hirescam", classes=["x"])])
def test_a_class_that_there_is_not_ends_the_run_before_its_first_row(tmp_path, request_):
    with pytest.raises(OptionError, match="has no class"):
        rows(bright(tmp_path), images(2), request_)


def test_occlusion_goes_one_by_one_where_a_batch_does_not_fit_into_memory(tmp_path, monkeypatch):
    model, image = bright(tmp_path), images(1)[0]
    plain = wp.explain(image, model, method="occlusion")
    sizes = []
    explainer = Explainer(model)
    session = explainer.open(model, 1)
    monkeypatch.setattr(session, "_fits_at_once", lambda batch: False)
    run = session._predict
    monkeypatch.setattr(session, "_predict", lambda batch, names: sizes.append(len(batch)) or run(batch, names))
    monkeypatch.setattr(explainer, "_sessions", {1: session})
    found = explainer.explain(engine.chosen_plane(model, image, None), Options(), method="occlusion")
    assert set(sizes) == {1}
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(one.map, other.map, atol=1e-6)
