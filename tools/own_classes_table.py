"""How good are heads for own classes? Writes the tables of docs/own-classes.md, between its marks.

    python tools/own_classes_table.py MODEL [--print]

MODEL is a published network, such as an image model of Teachable Machine. Three questions, of which all images come
with scikit-image and scikit-learn: textures cut out of pictures, handwritten digits, and qualities of pictures. Of
each, heads are fitted to 5, 10, 20 and 50 images of each class, three times, and tried on others: other parts of the
pictures, other digits, other pictures. Plain scikit-learn gets the same features. It needs no internet and takes some
minutes.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color, data, img_as_float
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import napari_webipred as wp
from napari_webipred import engine
from napari_webipred.execution.features import features_of_planes
from napari_webipred.execution.plane import planes_of
from napari_webipred.fitting.head import fit
from napari_webipred.fitting.honest import judging
from napari_webipred.fitting.labels import labels_of
from napari_webipred.steps import result_of

PAGE = Path(__file__).parents[1] / "docs" / "own-classes.md"
SIZES, DRAWS = (5, 10, 20, 50), 3
TILE, CROP = 32, 128
TEXTURES = {
    "brick": data.brick,
    "grass": data.grass,
    "gravel": data.gravel,
    "tissue": data.immunohistochemistry,
    "moon": data.moon,
    "galaxies": data.hubble_deep_field,
}
SOURCES = (
    *(data.astronaut, data.camera, data.cell, data.chelsea, data.coffee, data.coins, data.hubble_deep_field),
    *(data.immunohistochemistry, data.retina, data.rocket, data.moon, data.brick, data.grass, data.gravel),
)
KNOWN_SOURCES = 7  # the pictures that are labelled; the others are held out


@dataclass(frozen=True, eq=False)
class Question:
    """Images with their classes and groups, and which of them may be labelled."""

    name: str
    images: list[NDArray[np.uint8]]
    classes: list[str]
    groups: list[str] | None
    pool: NDArray[np.bool_]


def grey(picture: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return a picture in grey, 0 to 1."""
    found = img_as_float(picture)
    return np.asarray(color.rgb2gray(found) if found.ndim == 3 else found)


def textures() -> Question:
    """Cut pictures into tiles; every second row may be labelled, the others are held out. A row is a group."""
    images, classes, groups, pool = [], [], [], []
    for name, read in TEXTURES.items():
        picture = grey(read())[:512, :512]
        for row in range(0, 512, TILE):
            for column in range(0, 512, TILE):
                images.append(as_bytes(picture[row : row + TILE, column : column + TILE]))
                classes.append(name)
                groups.append(f"{name} {row}")
                pool.append(row // TILE % 2 == 0)
    return Question("textures", images, classes, groups, np.array(pool))


def digits() -> Question:
    """Take scikit-learn's digits, 8 x 8 pixels; 1,000 may be labelled."""
    found = load_digits()
    images = [as_bytes(image / 16) for image in found.images]
    order = np.random.default_rng(0).permutation(len(images))
    return Question("digits", images, [f"digit {d}" for d in found.target], None, order < 1000)


def qualities() -> Question:
    """Spoil parts of pictures; half of the pictures may be labelled, the others are held out."""
    random = np.random.default_rng(0)
    images, classes, groups, pool = [], [], [], []
    for number, read in enumerate(SOURCES):
        picture = grey(read())
        for _ in range(12):
            row, column = (random.integers(0, side - CROP) for side in picture.shape)
            part = picture[row : row + CROP, column : column + CROP]
            for name, spoiled in spoilt(part, random):
                images.append(as_bytes(spoiled))
                classes.append(name)
                groups.append(f"picture {number}")
                pool.append(number % 2 == 0 and number < 2 * KNOWN_SOURCES)
    return Question("qualities", images, classes, groups, np.array(pool))


def spoilt(part: NDArray[np.float64], random: np.random.Generator) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield a part as it is, and with each fault."""
    yield "sharp", part
    yield "blurred", ndimage.gaussian_filter(part, random.uniform(1.5, 4))
    yield "noisy", part + random.normal(size=part.shape) * random.uniform(0.06, 0.2)
    yield "overexposed", part * random.uniform(1.8, 3) + 0.15
    yield "underexposed", part * random.uniform(0.1, 0.35)


def as_bytes(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a picture of 0 to 1 as 8-bit numbers."""
    return np.asarray(np.clip(image * 255, 0, 255).astype(np.uint8))


def features_of(model: wp.Model, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Compute the features of images as the program does."""
    sources = engine.ready_sources(model, images, engine.DEFAULTS)
    found = list(features_of_planes(model, planes_of(sources), len(images), engine.DEFAULTS))
    return np.stack([each for each in found if not isinstance(each, str)])


def answers(question: Question, features: NDArray[np.float32]) -> Iterator[dict[str, float]]:
    """Yield what came out for each number of images of each class, as means of the draws."""
    classes = np.array(question.classes)
    groups = None if question.groups is None else np.array(question.groups)
    others = ~question.pool
    for size in SIZES:
        found: dict[str, list[float]] = {}
        for draw in range(DRAWS):
            random = np.random.default_rng(draw)
            rows = np.concatenate(
                [random.permutation(np.flatnonzero(question.pool & (classes == name)))[:size] for name in set(classes)]
            )
            rows = np.sort(rows)
            x, y = features[rows], classes[rows].tolist()
            own = None if groups is None else groups[rows].tolist()
            x = x.astype(np.float64)
            head = fit(features[rows], y, groups=own)
            mine = np.array(head.classes)[head.probabilities(features[others]).argmax(1)]
            centre, scale = scaling(features[rows])
            plain = LogisticRegression(C=head.strength, class_weight="balanced", tol=1e-6, max_iter=10_000)
            same = plain.fit((x - centre) / scale, y).predict((features[others] - centre) / scale)
            usual = make_pipeline(StandardScaler(), plain).fit(x, y).predict(features[others])
            near = make_pipeline(StandardScaler(), NearestCentroid()).fit(x, y).predict(features[others])
            judged = result_of(judging(features[rows], labels_of(y, groups=own), draws=200))
            told = judged.evaluation.metric("accuracy")
            right = float(np.mean(mine == classes[others]))
            values = {
                "own": right,
                "other answers": float(np.sum(mine != same)),
                "usual": float(np.mean(usual == classes[others])),
                "centroid": float(np.mean(near == classes[others])),
                "told": told.value,
                "within": float(told.low <= right <= told.high),
            }
            for name, value in values.items():
                found.setdefault(name, []).append(value)
        yield {"size": size, **{name: float(np.mean(each)) for name, each in found.items()}}


def scaling(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what is taken off from each channel, and what it is divided by, as `docs/own-classes.md` says."""
    values = features.astype(np.float64)
    deviation = values.std(0)
    varying = deviation > 1e-6 * np.abs(values.mean(0))
    return values.mean(0), np.where(varying, np.maximum(deviation, np.median(deviation[varying])), np.inf)


def table(model: wp.Model) -> str:
    """Return the tables in Markdown."""
    lines = [
        "| question | images per class | this program | with `StandardScaler` | nearest centroid | told | "
        "interval holds |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    differing = asked = 0.0
    for question in (textures(), digits(), qualities()):
        features = features_of(model, question.images)
        others = int((~question.pool).sum())
        for each in answers(question, features):
            differing += each["other answers"] * DRAWS
            asked += others * DRAWS
            told = f"{100 * each['told']:.1f} ({100 * (each['told'] - each['own']):+.1f})"
            numbers = [f"{100 * each[name]:.1f}" for name in ("own", "usual", "centroid")]
            holds = f"{each['within'] * DRAWS:.0f} of {DRAWS}"
            name = f"{question.name}, {others:,} held out"
            lines.append(f"| {name} | {each['size']:.0f} | {' | '.join(numbers)} | {told} | {holds} |")
            print(lines[-1])
    text = (
        f"On the same standardised features, plain scikit-learn gives another answer for {differing:.0f} of "
        f"{asked:,.0f} images."
    )
    return "\n".join([*lines, "", text])


def main() -> None:
    """Write the tables into the page, or print them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--print", action="store_true", help="print the tables only")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of the centroids of channels that never change
    found = table(wp.open_model(options.model))
    if options.print:
        print(found)
        return
    text = PAGE.read_text(encoding="utf-8")
    marked = re.sub(
        r"(<!-- measured -->\n).*?(\n<!-- end -->)", lambda m: f"{m[1]}{found}{m[2]}", text, flags=re.DOTALL
    )
    PAGE.write_text(marked, encoding="utf-8")


if __name__ == "__main__":
    main()
