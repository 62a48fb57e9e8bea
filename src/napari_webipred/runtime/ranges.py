"""Value ranges of tensors, and how operations change them."""

from __future__ import annotations

import math

from msgspec import Struct
from msgspec.structs import replace

# Tolerance for rounded or quantised bounds.
NEARLY = 1e-3


class Range(Struct, frozen=True):
    """The value range of a tensor.

    Attributes
    ----------
    low, high : float
        Bounds.
    total : float, optional
        The sum of the values for one image, if it is known.
    clipped : bool
        Whether a bound comes from clipping.
    certain : bool
        Whether values anywhere within the bounds are possible; otherwise the true range may be smaller.
    constant : bool
        Whether the values do not depend on the image.
    centre : float, optional
        The last constant added to values without bounds.
    log_of, inverse_of : Range, optional
        The values of which these are the logarithms, or the reciprocals.
    exp_of, sum_of, log_sum_exp_of, above, complement_of : str
        Name of the tensor of which this is the exponential, the sum, or the logarithm of the sum of exponentials; that
        is smaller than this; or that adds up to 1 with this. Empty for none.
    """

    low: float = -math.inf
    high: float = math.inf
    total: float | None = None
    clipped: bool = False
    certain: bool = True
    constant: bool = False
    centre: float | None = None
    log_of: Range | None = None
    inverse_of: Range | None = None
    exp_of: str = ""
    sum_of: str = ""
    log_sum_exp_of: str = ""
    above: str = ""
    complement_of: str = ""

    @property
    def plain(self) -> Range:
        """The same range, without relations to another tensor."""
        return Range(self.low, self.high, self.total, self.clipped, self.certain)

    @property
    def scalar(self) -> float | None:
        """The value of a constant with one value; otherwise None."""
        return self.low if self.constant and self.low == self.high else None


ANYTHING = Range()
SOFTMAX = Range(0, 1, total=1)
LOG_SOFTMAX = Range(-math.inf, 0, log_of=SOFTMAX)
SIGMOID = Range(0, 1)


def nearly(a: float, b: float) -> bool:
    """Tell whether two bounds are equal up to rounding."""
    return a == b or abs(a - b) <= NEARLY


# --- one tensor -------------------------------------------------------------------------------------------------------


def exp(x: Range, name: str) -> Range:
    """Return the range of the exponentials of a tensor of this name."""
    if x.log_of is not None:
        return x.log_of
    return Range(_exp(x.low), _exp(x.high), certain=False, exp_of=name)


def log(x: Range, log_sum_exp_of: str = "") -> Range:
    """Return the range of the logarithms."""
    low = math.log(x.low) if x.low > 0 else -math.inf
    high = math.log(x.high) if x.high > 0 else math.inf
    return Range(low, high, log_of=x.plain, certain=False, log_sum_exp_of=log_sum_exp_of)


def negated(x: Range) -> Range:
    """Return the range of the negated values."""
    return Range(-x.high, -x.low, None if x.total is None else -x.total, x.clipped, x.certain, x.constant)


def inverse(x: Range) -> Range:
    """Return the range of the reciprocals."""
    if x.low < 0:
        return Range(certain=False, inverse_of=x)
    low, high = 1 / x.high if x.high else math.inf, 1 / x.low if x.low else math.inf
    return Range(low, high, None, x.clipped, x.certain, x.constant, inverse_of=x)


def positive(x: Range) -> Range:
    """Return the range after ReLU."""
    return x.plain if x.low >= 0 else Range(0, max(x.high, 0.0), clipped=x.clipped, certain=x.certain)


def cut(x: Range, low: float | None, high: float | None) -> Range:
    """Return the range after clipping; limits at the present bounds change nothing."""
    floor, ceiling = max(x.low, -math.inf if low is None else low), min(x.high, math.inf if high is None else high)
    if nearly(floor, x.low) and nearly(ceiling, x.high):
        return replace(x, low=floor, high=ceiling)
    # The added constant is in the middle of the limits: a hard sigmoid.
    straight = x.centre is not None and math.isfinite(floor + ceiling) and nearly((floor + ceiling) / 2, x.centre)
    return Range(floor, max(floor, ceiling), None, not straight, x.certain, centre=x.centre)


def summed(x: Range, name: str) -> Range:
    """Return the range of sums over a tensor of this name."""
    return Range(0 if x.low >= 0 else -math.inf, 0 if x.high <= 0 else math.inf, certain=False, sum_of=name)


def some(x: Range) -> Range | None:
    """Return the range of some of the values; None if the sum was known, because that of a part is not."""
    return x.plain if x.total is None else None


# --- two tensors of these names; None if nothing is known of the result -----------------------------------------------


def add(a: Range, b: Range, name_a: str = "", name_b: str = "") -> Range | None:
    """Return the range of sums."""
    if (a.total is None) != (b.total is None):
        return None
    total = None if a.total is None or b.total is None else a.total + b.total
    clipped, certain, constant = a.clipped or b.clipped, a.certain and b.certain, a.constant and b.constant
    made = Range(a.low + b.low, a.high + b.high, total, clipped, certain, constant)
    if constant or not (a.constant or b.constant):
        return made
    x, name, number = (a, name_a, b) if b.constant else (b, name_b, a)
    return replace(
        made,
        sum_of=x.sum_of if number.low >= 0 and number.high <= NEARLY else "",
        above=name if x.low >= 0 and number.low > 0 else "",
        centre=number.scalar if _unbounded(x) else None,
    )


def subtract(a: Range, b: Range, name_a: str = "", name_b: str = "") -> Range | None:
    """Return the range of differences."""
    if b.log_sum_exp_of and b.log_sum_exp_of == name_a:
        return LOG_SOFTMAX
    made = add(a, negated(b), name_a)
    if made is None:
        return None
    if a.constant or b.constant:
        return replace(made, complement_of=name_b if a.scalar == 1 else "")
    return replace(made, certain=False)


def multiply(a: Range, b: Range, name_a: str = "", name_b: str = "") -> Range | None:
    """Return the range of products."""
    for x, name, y in ((a, name_a, b), (b, name_b, a)):
        if y.inverse_of is not None and (known := _share(x, y.inverse_of, name)):
            return known
    products = [_product(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    low, high = 0 if name_a and name_a == name_b else min(products), max(products)
    total = None
    for x, y in ((a, b), (b, a)):
        if x.total is not None:
            if y.scalar is None:
                return None
            total = x.total * y.scalar
    certain = a.certain and b.certain if a.constant or b.constant else _unbounded(a) or _unbounded(b)
    return Range(low, high, total, a.clipped or b.clipped, certain, a.constant and b.constant)


def divide(a: Range, b: Range, name_a: str = "", name_b: str = "") -> Range | None:
    """Return the range of quotients."""
    known = _share(a, b, name_a) or multiply(a, inverse(b), name_a)
    return known if known is None or a.constant or b.constant else replace(known, certain=False)


def larger(a: Range, b: Range, name_a: str = "", name_b: str = "") -> Range | None:
    """Return the range of the maximum; a constant is a limit."""
    if a.scalar is not None:
        return cut(b, a.scalar, None)
    return either(a, b) if b.scalar is None else cut(a, b.scalar, None)


def smaller(a: Range, b: Range, name_a: str = "", name_b: str = "") -> Range | None:
    """Return the range of the minimum; a constant is a limit."""
    if a.scalar is not None:
        return cut(b, None, a.scalar)
    return either(a, b) if b.scalar is None else cut(a, None, b.scalar)


def either(a: Range, b: Range, name_a: str = "", name_b: str = "") -> Range | None:
    """Return the range of values from one tensor or the other."""
    if a.total is not None or b.total is not None:
        return None
    low, high = min(a.low, b.low), max(a.high, b.high)
    return Range(low, high, None, a.clipped or b.clipped, a.certain and b.certain)


def joined(a: Range, b: Range, name_a: str = "", name_b: str = "") -> Range | None:
    """Return the range of concatenated tensors; p and 1 - p add up to 1."""
    if (a.complement_of and a.complement_of == name_b) or (b.complement_of and b.complement_of == name_a):
        return Range(min(a.low, b.low), max(a.high, b.high), total=1)
    return either(a, b)


def _share(part: Range, whole: Range, name: str) -> Range | None:
    """Return the range of values divided by their sum or by something larger; otherwise None."""
    if part.low >= 0 and whole.sum_of and whole.sum_of == name:
        return SOFTMAX
    if part.low >= 0 and whole.above and whole.above == name:
        return SIGMOID
    return None


def _unbounded(x: Range) -> bool:
    return x.certain and (x.low, x.high) == (-math.inf, math.inf)


def _product(x: float, y: float) -> float:
    return 0 if 0 in (x, y) else x * y


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf
