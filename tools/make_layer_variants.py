"""Make tests/goldens/variants.zip: layers that TensorFlow.js does not have or cannot read, and what Keras computes.

    pip install tensorflow tf-keras
    python tools/make_layer_variants.py

Weights and images follow from formulas, so every run gives the same file. `make_goldens.py` makes those of the layers
for which TensorFlow.js is the judge.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from goldens import networks  # noqa: E402

GOLDENS = ROOT / "tests" / "goldens" / "variants.zip"
SHAPE = (2, 7, 9, 3)
LOW, HIGH, GAIN = -2.0, 2.0, 1.0

Case = Callable[[Any, Any], Any]


def both() -> dict[str, Case]:
    """Cases of Keras 2 and 3; each takes `keras` and the image."""
    made: dict[str, Case] = {}

    def add(name: str, class_name: str, **options: Any) -> None:
        def call(keras: Any, x: Any) -> Any:
            return getattr(keras.layers, class_name)(**options)(x)

        made[name] = call

    for padding in ("valid", "same"):
        add(f"Conv2D in groups, {padding}", "Conv2D", filters=6, kernel_size=3, groups=3, padding=padding, strides=2)
        add(f"DepthwiseConv2D, dilated, {padding}", "DepthwiseConv2D", kernel_size=2, dilation_rate=2, padding=padding)
        add(
            f"DepthwiseConv2D, multiplied, {padding}",
            "DepthwiseConv2D",
            kernel_size=3,
            depth_multiplier=2,
            strides=2,
            padding=padding,
        )
        add(
            f"SeparableConv2D, {padding}",
            "SeparableConv2D",
            filters=5,
            kernel_size=3,
            depth_multiplier=2,
            strides=2,
            padding=padding,
        )
        add(
            f"Conv2DTranspose, dilated, {padding}",
            "Conv2DTranspose",
            filters=2,
            kernel_size=3,
            dilation_rate=2,
            padding=padding,
        )
    add("Conv2DTranspose, output padding", "Conv2DTranspose", filters=2, kernel_size=3, strides=2, output_padding=1)
    across = {"strides": 2, "padding": "same", "output_padding": (0, 1)}
    add("Conv2DTranspose, output padding across", "Conv2DTranspose", filters=2, kernel_size=3, **across)
    add("GlobalAveragePooling2D, axes kept", "GlobalAveragePooling2D", keepdims=True)
    add("GlobalMaxPooling2D, axes kept", "GlobalMaxPooling2D", keepdims=True)
    for axis in (1, 2, 3):
        add(f"BatchNormalization along {axis}", "BatchNormalization", axis=axis)
    add("LayerNormalization along two axes", "LayerNormalization", axis=(2, 3))
    add("LayerNormalization, plain", "LayerNormalization", scale=False, center=False)
    for groups in (1, 3, -1):
        add(f"GroupNormalization, {groups}", "GroupNormalization", groups=groups)
    add("GroupNormalization, plain", "GroupNormalization", groups=3, scale=False, center=False, epsilon=0.01)
    for axis in (-1, 1, (1, 2)):
        add(f"UnitNormalization along {axis}", "UnitNormalization", axis=axis)
    add("Normalization by weights", "Normalization", axis=-1)
    add("Normalization by numbers", "Normalization", axis=-1, mean=(0.1, 0.2, 0.3), variance=(0.5, 1, 2))
    add("Normalization, inverted", "Normalization", axis=-1, mean=(0.1, 0.2, 0.3), variance=(0.5, 1, 2), invert=True)
    add("Normalization of all together", "Normalization", axis=None, mean=0.3, variance=0.5)
    add("Rescaling", "Rescaling", scale=2.5, offset=-0.5)
    for interpolation in ("nearest", "bilinear"):
        add(f"UpSampling2D, {interpolation}", "UpSampling2D", size=(2, 3), interpolation=interpolation)
        for height, width in ((14, 18), (5, 4), (7, 20), (1, 1)):
            add(f"Resizing to {height} x {width}, {interpolation}", "Resizing", height=height, width=width,
                interpolation=interpolation)  # fmt: skip
    add("CenterCrop", "CenterCrop", height=4, width=5)
    add("CenterCrop of odd rests", "CenterCrop", height=4, width=6)
    for name in ("Dropout", "GaussianDropout", "AlphaDropout", "SpatialDropout2D"):
        add(name, name, rate=0.5)
    add("GaussianNoise", "GaussianNoise", stddev=1.0)
    add("RandomFlip", "RandomFlip")
    for name in ("RandomRotation", "RandomContrast", "RandomBrightness"):
        add(name, name, factor=0.2)
    add("RandomZoom", "RandomZoom", height_factor=0.2)
    add("RandomTranslation", "RandomTranslation", height_factor=0.2, width_factor=0.2)
    for axis in (-1, 1, 2):
        add(f"Softmax along {axis}", "Softmax", axis=axis)
    add("PReLU", "PReLU")
    add("PReLU, one axis shared", "PReLU", shared_axes=(2,))
    add("PReLU, both axes shared", "PReLU", shared_axes=(1, 2))
    add("ReLU with everything", "ReLU", max_value=1.5, negative_slope=0.25, threshold=0.5)
    add("ReLU with a slope", "ReLU", negative_slope=0.25)
    add("LeakyReLU", "LeakyReLU")
    add("ELU", "ELU", alpha=0.5)
    for activation in (
        "exponential", "gelu", "swish", "hard_sigmoid", "elu", "selu", "mish", "softsign", "softplus", "softmax",
        "log_softmax", "leaky_relu", "relu6", "sigmoid", "tanh", "silu",
    ):  # fmt: skip
        add(f"{activation} as a string", "Conv2D", filters=4, kernel_size=1, activation=activation)
    for name in ("MaxPooling2D", "AveragePooling2D"):
        for padding in ("valid", "same"):
            add(f"{name}, {padding}", name, pool_size=(3, 2), strides=2, padding=padding)
    add("LayerNormalization along the rows", "LayerNormalization", axis=1)
    add("LayerNormalization along rows and channels", "LayerNormalization", axis=(1, 3), scale=False)
    add("Normalization along two axes", "Normalization", axis=(2, 3))
    add("Rescaling by channels", "Rescaling", scale=(2.5, 1.0, 0.5), offset=(-0.5, 0.0, 1.0))
    add("ZeroPadding2D", "ZeroPadding2D", padding=((1, 0), (2, 3)))
    add("Cropping2D", "Cropping2D", cropping=((1, 0), (0, 2)))
    add("Reshape", "Reshape", target_shape=(9, -1, 7))
    add("Permute", "Permute", dims=(2, 3, 1))

    def merged(name: str) -> Case:
        def call(keras: Any, x: Any) -> Any:
            channels = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
            return getattr(keras.layers, name)()([x, channels])

        return call

    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
        made[f"{name} of unequal shapes"] = merged(name)

    def repeated(keras: Any, x: Any) -> Any:
        return keras.layers.RepeatVector(3)(keras.layers.GlobalAveragePooling2D()(x))

    def attended(keras: Any, x: Any) -> Any:
        points = keras.layers.Reshape((63, 3))(x)
        mixed = keras.layers.MultiHeadAttention(num_heads=2, key_dim=4)(points, points)
        return keras.layers.MultiHeadAttention(num_heads=3, key_dim=2, value_dim=5, output_shape=6, use_bias=False)(
            mixed, points
        )

    made["RepeatVector"] = repeated
    made["MultiHeadAttention"] = attended
    made["Dense on points"] = lambda keras, x: keras.layers.Dense(4)(keras.layers.Reshape((63, 3))(x))
    made["Dense on images"] = lambda keras, x: keras.layers.Dense(4, activation="tanh")(x)
    made["Softmax on points"] = lambda keras, x: keras.layers.Softmax()(keras.layers.Reshape((9, 21))(x))
    made["numbers around an image"] = lambda keras, x: (2.5 - x) * 3 + x / 4 - x
    made["reversed division"] = lambda keras, x: 3 / (x * x + 1)

    for family in ("resnet50", "densenet", "mobilenet_v2"):
        made[f"preprocess_input of {family}"] = lambda keras, x, family=family: keras.layers.Conv2D(2, 3)(
            getattr(keras.applications, family).preprocess_input(x)
        )
    made["rows of numbers"] = lambda keras, x: (x * np.float32([1, 2, 3]) + 1) / 2 - np.float32([3, 1, 2])
    made["rows of numbers after a layer"] = lambda keras, x: keras.layers.Conv2D(3, 1)(x) * np.float32([1, 2, 3])
    made["backwards"] = lambda keras, x: keras.layers.Conv2D(4, 1)(x)[:, ::-1, ..., ::-2]
    made["a part"] = lambda keras, x: x[:, 1:-1, 2:, :2]
    made["a channel"] = lambda keras, x: x[..., -1]
    made["a corner"] = lambda keras, x: x[:, 0, -2]

    def joined(axis: int) -> Case:
        def call(keras: Any, x: Any) -> Any:
            sides = keras.layers.Conv2D(3, 1)(x), keras.layers.Activation("relu")(x)
            return keras.layers.Concatenate(axis=axis)(list(sides))

        return call

    for axis in (-1, 1, 2, 3):
        made[f"Concatenate along {axis}"] = joined(axis)

    def model_called_twice(keras: Any, x: Any) -> Any:
        inside = keras.layers.Input(SHAPE[1:])
        y = keras.layers.BatchNormalization()(keras.layers.Conv2D(3, 3, padding="same")(inside))
        inner = keras.Model(inside, keras.layers.Add()([y, inside]))
        return inner(keras.layers.Activation("tanh")(inner(x)))

    def models_in_models(keras: Any, x: Any) -> Any:
        deep = keras.Sequential([keras.layers.Input(SHAPE[1:]), keras.layers.Conv2D(4, 3), keras.layers.ReLU()])
        middle = keras.Sequential([keras.layers.Input(SHAPE[1:]), deep, keras.layers.DepthwiseConv2D(2)])
        return middle(x)

    def two_outputs(keras: Any, x: Any) -> Any:
        inside = keras.layers.Input(SHAPE[1:])
        inner = keras.Model(inside, [keras.layers.Conv2D(2, 3)(inside), keras.layers.Conv2D(2, 3)(inside)])
        first, second = inner(x)
        return keras.layers.Subtract()([second, first])

    def layer_called_twice(keras: Any, x: Any) -> Any:
        conv = keras.layers.Conv2D(3, 3, padding="same", activation="tanh")
        return keras.layers.Concatenate()([conv(x), conv(conv(x))])

    for case in (model_called_twice, models_in_models, two_outputs, layer_called_twice):
        made[case.__name__.replace("_", " ")] = case
    return made


def channels_first() -> dict[str, Case]:
    """Cases of Keras 2 and 3 that take channels, height, width."""
    made: dict[str, Case] = {}

    def add(name: str, **options: Any) -> None:
        def call(keras: Any, x: Any) -> Any:
            return getattr(keras.layers, name)(data_format="channels_first", **options)(x)

        made[f"{name} with channels first"] = call

    add("Conv2D", filters=4, kernel_size=3, strides=2, padding="same", activation="relu")
    add("DepthwiseConv2D", kernel_size=(2, 3), depth_multiplier=2)
    add("SeparableConv2D", filters=4, kernel_size=3, padding="same")
    add("Conv2DTranspose", filters=4, kernel_size=3, strides=2, padding="same")
    add("MaxPooling2D", pool_size=2)
    add("AveragePooling2D", pool_size=3, strides=2, padding="same")
    add("GlobalAveragePooling2D")
    add("GlobalMaxPooling2D", keepdims=True)
    add("ZeroPadding2D", padding=((1, 0), (2, 3)))
    add("Cropping2D", cropping=((1, 0), (0, 2)))
    add("UpSampling2D", size=(2, 3))
    add("Flatten")

    def network(keras: Any, x: Any) -> Any:
        order = {"data_format": "channels_first"}
        x = keras.layers.Conv2D(6, 3, padding="same", **order)(x)
        x = keras.layers.PReLU(shared_axes=(2, 3))(keras.layers.BatchNormalization(axis=1)(x))
        y = keras.layers.GroupNormalization(groups=2, axis=1)(x)
        y = keras.layers.Softmax(axis=1)(keras.layers.LayerNormalization(axis=1)(y))
        x = keras.layers.Concatenate(axis=1)([x, y])
        gate = keras.layers.GlobalAveragePooling2D(keepdims=True, **order)(x)
        x = keras.layers.Multiply()([x, gate])
        x = keras.layers.Flatten()(keras.layers.MaxPooling2D(2, **order)(x))
        return keras.layers.Dense(5)(x)

    made["a network with channels first"] = network
    return made


def of_keras_2() -> dict[str, Case]:
    """Operators of TensorFlow in Keras 2."""
    import tensorflow as tf

    return {
        "tf.nn": lambda keras, x: tf.nn.relu6(x + 1) + tf.nn.silu(x) + tf.nn.elu(x) + tf.nn.selu(x),
        "tf.nn.gelu": lambda keras, x: tf.nn.gelu(x) + tf.nn.gelu(x, approximate=True),
        "tf.math": lambda keras, x: tf.maximum(tf.abs(x), 0.5) + tf.sqrt(tf.square(x)) - tf.exp(tf.minimum(x, 1.0)),
        "tf.pow": lambda keras, x: tf.pow(tf.abs(x) + 1, 1.5) + tf.math.log(tf.abs(x) + 1),
        "tf.reduce_mean": lambda keras, x: tf.reduce_mean(x, axis=[1, 2]) + tf.reduce_max(x, axis=[1, 2]),
        "tf.reduce_mean, axes kept": lambda keras, x: x - tf.reduce_mean(x, axis=[1, 2], keepdims=True),
        "tf.reduce_sum": lambda keras, x: tf.reduce_sum(x, axis=-1) + tf.reduce_min(x, axis=3),
        "tf.clip_by_value": lambda keras, x: tf.clip_by_value(x, -0.5, 0.75) + tf.nn.leaky_relu(x, alpha=0.1),
        "tf.nn.softmax": lambda keras, x: tf.nn.softmax(x) + tf.nn.log_softmax(x, axis=1) + tf.math.rsqrt(x * x + 1),
        "ThresholdedReLU": lambda keras, x: keras.layers.ThresholdedReLU(theta=0.5)(x),
        "LeakyReLU with alpha": lambda keras, x: keras.layers.LeakyReLU(alpha=0.1)(x),
        "SyncBatchNormalization": lambda keras, x: keras.layers.experimental.SyncBatchNormalization()(x),
        "RandomHeight": lambda keras, x: keras.layers.RandomHeight(0.2)(x),
        "RandomWidth": lambda keras, x: keras.layers.RandomWidth(0.2)(x),
    }


def of_keras_3() -> dict[str, Case]:
    """Activations and operators of Keras 3 alone."""
    made: dict[str, Case] = {}

    def activated(name: str) -> Case:
        return lambda keras, x: keras.layers.Activation(name)(x)

    for name in (
        "silu", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "celu", "log_sigmoid", "tanh_shrink",
        "squareplus", "relu6", "hard_sigmoid", "hard_shrink", "soft_shrink", "sparse_plus", "sparse_sigmoid",
    ):  # fmt: skip
        made[f"Activation {name}"] = activated(name)
    for name in ("absolute", "negative", "exp", "square", "sigmoid", "tanh", "softplus", "relu", "relu6", "silu",
                 "selu", "gelu", "hard_sigmoid", "hard_silu", "hard_tanh", "log_sigmoid", "tanh_shrink", "squareplus",
                 "sparse_plus", "sparse_sigmoid", "softsign", "celu", "elu", "leaky_relu", "softmax", "log_softmax",
                 ):  # fmt: skip
        made[f"ops.{name}"] = lambda keras, x, name=name: getattr(keras.ops, name)(x)
    made["ops.gelu, exact"] = lambda keras, x: keras.ops.gelu(x, approximate=False)
    made["ops.sqrt and log"] = lambda keras, x: keras.ops.sqrt(keras.ops.abs(x)) + keras.ops.log(keras.ops.abs(x) + 1)
    made["ops.power"] = lambda keras, x: keras.ops.power(keras.ops.abs(x) + 1, 1.5)
    made["ops.maximum"] = lambda keras, x: keras.ops.maximum(x, 0.5) + keras.ops.minimum(x, -0.5)
    made["ops.mean"] = lambda keras, x: keras.ops.mean(x, axis=(1, 2)) + keras.ops.max(x, axis=(1, 2))
    made["ops.elu and its like"] = lambda keras, x: (
        keras.ops.elu(x, alpha=0.5) + keras.ops.celu(x, alpha=2.0) + keras.ops.leaky_relu(x, negative_slope=0.1)
    )
    made["ops.clip"] = lambda keras, x: keras.ops.clip(x, -0.5, 0.75) + keras.ops.rsqrt(x * x + 1)
    made["ops.sum"] = lambda keras, x: keras.ops.sum(x, axis=-1) + keras.ops.min(x, axis=3)
    made["ops.log_softmax along 1"] = lambda keras, x: keras.ops.log_softmax(x, axis=1)
    made["LeakyReLU with a slope"] = lambda keras, x: keras.layers.LeakyReLU(negative_slope=0.1)(x)
    for name in ("ColorDegeneration", "Hue", "Posterization", "Saturation", "Sharpness"):
        made[f"Random{name}"] = lambda keras, x, name=name: getattr(keras.layers, f"Random{name}")(factor=1)(x)
    for name in ("ElasticTransform", "Erasing", "GaussianBlur", "Grayscale", "Invert", "Perspective", "Shear"):
        made[f"Random{name}"] = lambda keras, x, name=name: getattr(keras.layers, f"Random{name}")()(x)
    for name in ("AugMix", "CutMix", "MixUp", "RandAugment", "Solarization", "RandomColorJitter"):
        made[name] = lambda keras, x, name=name: getattr(keras.layers, name)()(x)
    made["ops.mean, axes kept"] = lambda keras, x: x - keras.ops.mean(x, axis=(1, 2), keepdims=True)
    return made


CHANNELS_FIRST = channels_first()


def golden(keras: Any, case: Case) -> dict[str, Any]:
    """Build a model of one case and compute what Keras makes of two images."""
    keras.backend.clear_session()
    first = case in CHANNELS_FIRST.values()
    image = keras.layers.Input((*SHAPE[3:], *SHAPE[1:3]) if first else SHAPE[1:])
    model = keras.Model(image, keras.layers.Flatten()(case(keras, image)))
    names = [v.path if hasattr(v, "path") else v.name.removesuffix(":0") for v in model.weights]
    shapes = {name: [int(n) for n in v.shape] for name, v in zip(names, model.weights, strict=True)}
    states = {name for name in shapes if "seed_generator" in name or name.endswith("StateVar")}
    model.set_weights(
        [
            v.numpy() if name in states else networks.weight(name, shape, GAIN)
            for (name, shape), v in zip(shapes.items(), model.weights, strict=True)
        ]
    )
    for layer in model.layers:
        if type(layer).__name__ == "Normalization" and hasattr(layer, "finalize_state"):
            layer.finalize_state()
    images = networks.images(SHAPE, LOW, HIGH)
    output = np.asarray(model(np.moveaxis(images, -1, 1) if first else images, training=False))
    document = json.loads(model.to_json())
    return {
        "topology": {"keras_version": document.pop("keras_version", keras.__version__), "model_config": document},
        "shapes": {name: shape for name, shape in shapes.items() if name not in states},
        "gain": GAIN,
        "pictures": [*SHAPE, LOW, HIGH],
        "logits": [[float(f"{value:.8g}") for value in row] for row in output],
    }


def cases() -> Iterator[tuple[str, Any, Case]]:
    import keras
    import tf_keras

    common = both() | CHANNELS_FIRST
    for version, source, made in ((2, tf_keras, common | of_keras_2()), (3, keras, common | of_keras_3())):
        for name, case in made.items():
            yield f"{name} of Keras {version}", source, case


def main() -> None:
    with zipfile.ZipFile(GOLDENS, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, source, case in cases():
            try:
                made = golden(source, case)
            except (TypeError, ValueError, AttributeError) as error:
                print(f"{name}: Keras refuses it: {str(error).strip().splitlines()[0][:100]}")
                continue
            archive.writestr(f"{name.replace('/', ' by ')}.json", json.dumps(made))


if __name__ == "__main__":
    main()
