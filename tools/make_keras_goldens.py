"""Make tests/goldens/keras: small models saved by Keras 2 and 3, and what Keras itself predicts with them.

Run it twice, with TensorFlow and tf_keras installed:

    python tools/make_keras_goldens.py 2
    python tools/make_keras_goldens.py 3
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "tests" / "goldens" / "keras"


def main(version: str) -> None:
    if version == "2":
        import tf_keras as keras
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
    for name, model in (("nested", nested), ("flat", flat)):
        noisy = [
            w + random.random(w.shape).astype("f4") / 10 if w.dtype == np.float32 else w for w in model.get_weights()
        ]
        model.set_weights(noisy)
        path = FOLDER / f"keras{version}-{name}"
        model.save(path.with_suffix(".h5"))
        if version == "3":
            model.save(path.with_suffix(".keras"))
        np.savez(path.with_suffix(".npz"), pictures=images, outputs=model.predict(images, verbose=0))


if __name__ == "__main__":
    main(sys.argv[1])
