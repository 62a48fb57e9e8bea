"""Make tests/goldens/keras: small models saved by Keras 2 and 3, and what Keras itself predicts with them.

Run it twice, with TensorFlow and tf_keras installed, and once with TensorFlow 2.13, which wrote other archives:

    python tools/make_keras_goldens.py 2
    python tools/make_keras_goldens.py 3
    python tools/make_keras_goldens.py 213
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = Path(__file__).parents[1] / "tests" / "goldens" / "keras"


def attention(keras: Any, images: NDArray[np.float32]) -> Any:
    """Make a network with what Keras 2 and 3 name in their own ways, or compute with other numbers."""
    layers = keras.layers
    whole, channels = layers.Normalization(axis=None), layers.Normalization()
    whole.adapt(images)
    channels.adapt(images / 100)
    prepared = keras.Sequential([layers.Input((8, 8, 3)), channels, layers.RandomFlip()], name="prepared")
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, strides=2, activation="hard_sigmoid")(prepared(whole(image)))
    points = layers.Reshape((9, 6))(x)
    x = layers.Add()([points, layers.MultiHeadAttention(2, 3)(points, points)])
    scaled = layers.Normalization(mean=0.5, variance=0.25)(layers.Dense(4)(layers.Flatten()(x)))
    return keras.Model(image, layers.Dense(3, activation="softmax")(scaled))


def main(version: str) -> None:
    if version == "2":
        import tf_keras as keras
    elif version == "213":
        from tensorflow import keras
    else:
        import keras
    layers = keras.layers
    keras.utils.set_random_seed(1)
    random = np.random.default_rng(0)
    images = (255 * random.random((2, 8, 8, 3))).astype(np.float32)

    def network():
        image = layers.Input((8, 8, 3))
        x = layers.Rescaling(1 / 127.5, -1)(image)
        x = layers.Conv2D(4, 3, padding="same", name="first")(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        x = layers.Add()([x, layers.SeparableConv2D(4, 3, padding="same")(x)])
        x = layers.Dropout(0.3)(layers.Conv2D(6, 3, strides=2)(x))
        return keras.Model(image, layers.GlobalAveragePooling2D()(x), name="base")

    head = [layers.Dense(5, activation="relu"), layers.Dropout(0.2), layers.Dense(3, activation="softmax")]
    nested = keras.Sequential([layers.Input((8, 8, 3)), layers.RandomFlip(), network(), *head])
    base = network()
    flat = keras.Model(base.input, layers.Dense(3, activation="softmax")(base.output))
    for name, model in (("nested", nested), ("flat", flat), ("attention", attention(keras, images))):
        noisy = [
            w + random.random(w.shape).astype("f4") / 10 if w.dtype == np.float32 else w for w in model.get_weights()
        ]
        statistics = model.get_layer("prepared").layers[0] if name == "attention" else None
        model.set_weights(noisy)
        for layer in [*model.layers, *([statistics] if statistics else [])]:
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()
        path = FOLDER / f"keras{version}-{name}"
        if version == "213":
            model.save(path.with_suffix(".keras"))
            np.savez(path.with_suffix(".npz"), pictures=images, outputs=model.predict(images, verbose=0))
            continue
        model.save(path.with_suffix(".h5"))
        if version == "3" or name == "attention":
            model.save(path.with_suffix(".keras"))
        np.savez(path.with_suffix(".npz"), pictures=images, outputs=model.predict(images, verbose=0))
        if name == "attention":
            in_two = FOLDER / "weights" / path.name
            in_two.with_suffix(".json").write_text(model.to_json())
            model.save_weights(in_two.with_suffix(".weights.h5"))


if __name__ == "__main__":
    main(sys.argv[1])
