"""Maps of classes: which method, how exact, and where the map lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import helper

import napari_webipred as wp
from heads import SIZE, body, bright, opened, write
from napari_webipred import engine
from napari_webipred.cancellation import Cancellation
from napari_webipred.errors import CancelledError, ImageError, OptionError
from napari_webipred.execution.plane import Plane
from napari_webipred.explanations.contrast import log_odds
from napari_webipred.explanations.explaining import Explainer
from napari_webipred.explanations.placing import placed
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.region import Region

IMAGE = np.random.default_rng(5).integers(0, 256, (50, 70, 3), dtype=np.uint8)
node = helper.make_node


def dense(random, inputs, outputs=3):
    return random.normal(size=(inputs, outputs)).astype(np.float32), random.normal(size=outputs).astype(np.float32)


def heads(random):
    """Heads by name: nodes from ``maps`` to ``y``, weights, and the method that fits."""
    w, b = dense(random, 6)
    flat, flat_b = dense(random, 6 * 64, 10)
    last, last_b = dense(random, 10)
    mean = [node("GlobalAveragePool", ["maps"], ["p"]), node("Flatten", ["p"], ["f"])]
    logits, softmax = node("Gemm", ["f", "w", "wb"], ["z"]), node("Softmax", ["z"], ["y"], axis=1)
    middle, middle_b = dense(random, 6, 10)
    mlp = [node("Gemm", ["f", "m", "mb"], ["h"]), node("Gemm", ["r", "l", "lb"], ["z"])]
    weights = {"m": middle, "mb": middle_b, "l": last, "lb": last_b}
    swish = [node("Sigmoid", ["h"], ["s"]), node("Mul", ["h", "s"], ["r"])]
    return {
        "mean, dense, softmax": ([*mean, logits, softmax], {"w": w, "wb": b}, "cam"),
        "mean, dense, sigmoid": ([*mean, logits, node("Sigmoid", ["z"], ["y"])], {"w": w, "wb": b}, "cam"),
        "two linear layers": (
            [*mean, node("Gemm", ["f", "m", "mb"], ["r"]), mlp[1], softmax],
            weights,
            "cam",
        ),
        "convolution, mean": (
            [
                node("Conv", ["maps", "k"], ["v"], kernel_shape=[1, 1]),
                node("GlobalAveragePool", ["v"], ["p"]),
                node("Flatten", ["p"], ["z"]),
                softmax,
            ],
            {"k": w.T[:, :, None, None].copy()},
            "cam",
        ),
        "convolution, scalar, mean": (
            [
                node("Conv", ["maps", "k"], ["v"], kernel_shape=[1, 1]),
                node("Mul", ["v", "s"], ["v2"]),
                node("GlobalAveragePool", ["v2"], ["p"]),
                node("Flatten", ["p"], ["z"]),
                softmax,
            ],
            {"k": w.T[:, :, None, None].copy(), "s": np.float32(0.17)},
            "cam",
        ),
        "gate, mean, dense": (
            [
                node("GlobalAveragePool", ["maps"], ["p"]),
                node("Sigmoid", ["p"], ["g"]),
                node("Mul", ["maps", "g"], ["gated"]),
                node("GlobalAveragePool", ["gated"], ["p2"]),
                node("Flatten", ["p2"], ["f"]),
                logits,
                softmax,
            ],
            {"w": w, "wb": b},
            "cam",
        ),
        "convolution, gate, flatten, dense": (
            [
                node("Conv", ["maps", "k"], ["v"], kernel_shape=[1, 1]),
                node("GlobalMaxPool", ["v"], ["p"]),
                node("Sigmoid", ["p"], ["g"]),
                node("Mul", ["v", "g"], ["gated"]),
                node("Flatten", ["gated"], ["f"]),
                node("Gemm", ["f", "m", "mb"], ["h"]),
                node("Gemm", ["h", "l", "lb"], ["z"]),
                softmax,
            ],
            {
                "k": random.normal(size=(6, 6, 1, 1)).astype(np.float32),
                "m": flat,
                "mb": flat_b,
                "l": last,
                "lb": last_b,
            },
            "hirescam",
        ),
        "largest, dense": (
            [node("GlobalMaxPool", ["maps"], ["p"]), node("Flatten", ["p"], ["f"]), logits, softmax],
            {"w": w, "wb": b},
            "hirescam",
        ),
        "mean, dense, relu, dense": ([*mean, mlp[0], node("Relu", ["h"], ["r"]), mlp[1], softmax], weights, "hirescam"),
        "mean, dense, swish, dense": ([*mean, mlp[0], *swish, mlp[1], softmax], weights, "hirescam"),
        "flatten, dense, relu, dense": (
            [node("Flatten", ["maps"], ["f"]), mlp[0], node("Relu", ["h"], ["r"]), mlp[1], softmax],
            {"m": flat, "mb": flat_b, "l": last, "lb": last_b},
            "hirescam",
        ),
        "unknown operation": (
            [*mean, logits, node("Sin", ["z"], ["z2"]), node("Softmax", ["z2"], ["y"], axis=1)],
            {"w": w, "wb": b},
            "occlusion",
        ),
    }


NAMES = list(heads(np.random.default_rng(0)))


def network(tmp_path, name, seed=0):
    random = np.random.default_rng(seed)
    nodes, weights = body(random)
    head, more, method = heads(random)[name]
    return opened(write(tmp_path / "net.onnx", [*nodes, *head], {**weights, **more}, 3)), method


@pytest.mark.parametrize("name", NAMES)
def test_the_head_decides_on_the_method_and_maps_add_up_to_the_logit(tmp_path, name):
    model, method = network(tmp_path, name)
    explained = wp.explain(IMAGE, model)
    assert {each.method for each in explained} == {method}
    table = wp.classify(IMAGE, model)
    for each in explained:
        assert each.map.shape == (50, 70)
        assert each.map.dtype == each.grid.dtype == np.float32
        assert each.probability == pytest.approx(table[each.class_name].item(), abs=1e-6)
        if method != "occlusion":
            assert each.completeness < 1e-5
            assert each.grid.mean() + each.bias == pytest.approx(each.logit, abs=1e-4)
    assert [each.class_name for each in explained] == table[["a", "b", "c"]].iloc[0].sort_values(
        ascending=False
    ).index.tolist()


@pytest.mark.parametrize("name", [name for name in NAMES if "unknown" not in name])
def test_the_derivative_of_a_head_is_that_of_finite_differences(tmp_path, name):
    model, _ = network(tmp_path, name)
    explainer = Explainer(model)
    head = explainer._head
    random = np.random.default_rng(7)
    features = np.maximum(random.normal(size=explainer._cut.shape[1:]), 0)
    derivative = head.derivative(features, np.eye(3))
    for _ in range(5):
        direction = random.normal(size=features.shape)
        step = 1e-6
        slope = (head.logits(features + step * direction) - head.logits(features - step * direction)) / (2 * step)
        np.testing.assert_allclose(np.einsum("nkyx,kyx->n", derivative, direction), slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sharp", [1.0, 60.0])
def test_of_a_softmax_the_log_odds_are_shown_which_never_vanish(tmp_path, sharp):
    """The map of a class less that of the others; also where the probability is 1 to the last digit."""
    random = np.random.default_rng(0)
    nodes, weights = body(random)
    head, more, _ = heads(random)["mean, dense, softmax"]
    more = {name: sharp * each for name, each in more.items()}
    model = opened(write(tmp_path / "net.onnx", [*nodes, *head], {**weights, **more}, 3))
    explained = wp.explain(IMAGE[:SIZE, :SIZE], model)
    logits = np.array([each.logit for each in explained])
    for number, each in enumerate(explained):
        others = np.delete(np.arange(3), number)
        shares = np.exp(logits[others] - logits[others].max())
        against = np.einsum("n,nyx->yx", shares / shares.sum(), [explained[other].grid for other in others])
        np.testing.assert_allclose(each.contrast, each.grid - against, rtol=1e-3, atol=1e-3 * sharp)
        expected = placed(each.contrast, (SIZE, SIZE), model.card.input, model.card.preprocessing)
        np.testing.assert_array_equal(each.map, expected)
        assert each.target == "log-odds"
        assert np.abs(each.contrast).max() > 0.1 * sharp
        assert each.scale == pytest.approx(max(np.abs(other.contrast).max() for other in explained))


@pytest.mark.parametrize("method", ["cam", "occlusion"])
def test_what_speaks_for_another_class_speaks_against_this_one(tmp_path, method):
    image = np.zeros((64, 64, 3), np.uint8)
    image[8:24, 8:24, 0] = 255
    image[40:56, 40:56, 1] = 255
    red, green, blue = wp.explain(image, bright(tmp_path, "Softmax"), classes=["a", "b", "c"], method=method)
    assert red.map[16, 16] > 0 > red.map[48, 48]
    assert green.map[48, 48] > 0 > green.map[16, 16]
    assert blue.map[16, 16] < 0
    assert blue.map[48, 48] < 0


@given(arrays(np.float64, (2, 4), elements=st.floats(-800, 800)))
def test_log_odds_are_finite_and_those_of_the_probabilities(logits):
    found = log_odds(logits)
    assert np.isfinite(found).all()
    for row, odds in zip(logits, found, strict=True):
        for number in range(4):
            rest = np.delete(row, number)
            expected = row[number] - rest.max() - np.log(np.exp(rest - rest.max()).sum())
            assert odds[number] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_two_classes_of_one_sigmoid_have_opposite_maps(tmp_path):
    random = np.random.default_rng(0)
    nodes, weights = body(random)
    w, b = dense(random, 6, 1)
    head = [
        node("GlobalAveragePool", ["maps"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "w", "wb"], ["z"]),
        node("Sigmoid", ["z"], ["y"]),
    ]
    model = opened(write(tmp_path / "net.onnx", [*nodes, *head], {**weights, "w": w, "wb": b}, 1), ["no", "yes"])
    no, yes = wp.explain(IMAGE, model, classes=["no", "yes"])
    (alone,) = wp.explain(IMAGE, model, classes="yes")
    assert alone.class_name == "yes"
    np.testing.assert_array_equal(no.grid, -yes.grid)
    assert no.probability + yes.probability == pytest.approx(1)
    assert (no.target, yes.target) == ("logit", "logit")
    np.testing.assert_array_equal(yes.contrast, yes.grid)
    assert yes.grid.mean() + yes.bias == pytest.approx(yes.logit, abs=1e-5)


@pytest.mark.parametrize("method", ["cam", "hirescam", "occlusion"])
def test_the_map_of_a_bright_square_is_largest_in_the_square(tmp_path, method):
    model = bright(tmp_path)
    image = np.zeros((120, 200, 3), np.uint8)
    image[60:90, 125:175, 0] = 255
    (found,) = wp.explain(image, model, classes=["a"], method=method)
    assert found.method == method
    row, column = np.unravel_index(found.map.argmax(), found.map.shape)
    assert 60 <= row < 90
    assert 125 <= column < 175
    if method == "cam":
        expected = image[..., 0].reshape(8, 15, 8, 25).mean(axis=(1, 3)) / 255
        assert np.corrcoef(found.grid.ravel(), expected.ravel())[0, 1] > 0.95


def test_a_map_of_a_region_says_where_it_lies(tmp_path):
    model = bright(tmp_path)
    image = np.zeros((120, 200, 3), np.uint8)
    image[60:70, 125:135] = 255
    source = array_source(image, "x")
    (found,) = Explainer(model).explain(
        Plane(0, source, (), Region("1", (40, 100, 100, 180))), engine.Options(), classes=["a"]
    )
    assert found.map.shape == (60, 80)
    row, column = np.unravel_index(found.map.argmax(), found.map.shape)
    place = found.affine @ [row, column, 1]
    assert 55 <= place[0] < 75
    assert 120 <= place[1] < 140


def test_the_plane_of_a_stack_is_explained(tmp_path):
    model = bright(tmp_path)
    stack = np.zeros((3, 64, 64), np.uint8)
    stack[1, 10:20, 40:50] = 255
    (found,) = wp.explain(stack, model, classes=["b"], plane=1)
    row, column = np.unravel_index(found.map.argmax(), found.map.shape)
    assert (10 <= row < 20, 40 <= column < 50) == (True, True)
    with pytest.raises(OptionError, match="3 planes"):
        wp.explain(stack, model)


def test_occlusion_agrees_with_the_exact_map(tmp_path):
    model = bright(tmp_path)
    steps = np.broadcast_to(np.arange(0, 250, 2, dtype=np.uint8)[:, None, None], (125, 90, 3))
    (found,) = wp.explain(steps, model, classes=["a"], check=True)
    assert found.method == "cam"
    assert found.agreement > 0.6
    assert wp.explain(IMAGE, model)[0].agreement is None


def test_occlusion_can_be_cancelled(tmp_path):
    explainer = Explainer(bright(tmp_path))
    cancellation = Cancellation()
    done = []

    def progress(count, total):
        done.append(count)
        cancellation.cancel()

    with cancellation.active(), pytest.raises(CancelledError):
        explainer.explain(
            Plane(0, array_source(IMAGE, "x"), ()), engine.Options(), method="occlusion", progress=progress
        )
    assert len(done) == 1


def test_a_uniform_image_has_a_scale(tmp_path):
    found = wp.explain(np.zeros((40, 40), np.uint8), bright(tmp_path))
    assert {each.scale for each in found} == {1.0}
    assert not any(each.map.any() for each in found)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"classes": ["none"]}, "has no class 'none'"),
        ({"classes": []}, "No class is given"),
        ({"method": "gradcam"}, "'gradcam' is no method"),
        ({"method": "cam"}, "does not fit"),
        ({"method": "hirescam"}, "does not fit .* its head contains Sin"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_words(tmp_path, wrong, message):
    model, _ = network(tmp_path, "unknown operation")
    with pytest.raises(OptionError, match=message):
        wp.explain(IMAGE, model, **wrong)


def test_an_image_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ImageError, match="no file"):
        wp.explain("missing.png", bright(tmp_path))


def test_a_model_is_cut_and_opened_once_for_many_images(tmp_path, monkeypatch):
    model = bright(tmp_path)
    made = []
    session_with = type(model).session_with
    monkeypatch.setattr(type(model), "session_with", lambda *given: made.append(1) or session_with(*given))
    first, second = (wp.explain(IMAGE, model, classes=["a"])[0] for _ in range(2))
    assert len(made) == 1
    np.testing.assert_array_equal(first.map, second.map)
