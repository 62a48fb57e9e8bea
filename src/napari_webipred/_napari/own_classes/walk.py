"""Which picture gets its label now, which came before, and which comes next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from napari_webipred.fitting.project import Picture, Project

SEED = 0


class Walk:
    """Goes from one picture without a label to the next: first what is suggested, then the others in mixed order.

    Attributes
    ----------
    picture : Picture or None
        The picture that gets its label now; None at the end.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self.picture: Picture | None = None
        self._before: list[Picture] = []
        self._after: list[Picture] = []
        self._skipped: set[Picture] = set()
        self._pictures: Sequence[Picture] = ()  # as they were offered last: comparing them all takes long
        self._mixed: list[Picture] = []
        self._listed: set[Picture] = set()
        self._unusable: set[Picture] = set()

    def offer(self, pictures: Sequence[Picture], unusable: Iterable[Picture]) -> None:
        """Take over which pictures there are, and which cannot be read."""
        self._unusable = {*unusable}
        if pictures is not self._pictures and self._listed != {*pictures}:
            self._listed = {*pictures}
            order = np.random.default_rng(SEED).permutation(len(pictures))
            self._mixed = [pictures[row] for row in order]
            self._before = [each for each in self._before if each in self._listed]
            self._after = [each for each in self._after if each in self._listed]
        self._pictures = pictures
        if self.picture not in self._listed or self.picture in self._unusable:
            self.picture = None

    def go_on(self, suggested: Iterable[Picture]) -> None:
        """Go to the next picture without a label."""
        found = next(filter(self._is_open, (*reversed(self._after), *suggested, *self._mixed)), None)
        self._leave(self._before)
        self._after = [each for each in self._after if each != found]
        self.picture = found

    def skip(self, suggested: Iterable[Picture]) -> None:
        """Go to the next picture, and come to this one again after all others."""
        if self.picture is not None and self.picture not in self._project.labels:
            self._skipped.add(self.picture)
        if self._after and self.picture in self._project.labels:
            self._leave(self._before)
            self.picture = self._after.pop()
        else:
            self.go_on(suggested)

    def back(self) -> None:
        """Go to the picture before."""
        if self._before:
            before = self._before.pop()
            self._leave(self._after)
            self.picture = before

    def go_to(self, picture: Picture) -> None:
        """Go to a picture."""
        if picture != self.picture and picture in self._listed and picture not in self._unusable:
            self._leave(self._before)
            self.picture = picture

    def go_to_skipped(self) -> None:
        """Go to what was skipped."""
        self._skipped.clear()
        self.go_on(())

    @property
    def can_go_back(self) -> bool:
        """Whether there is a picture before."""
        return bool(self._before)

    @property
    def skipped(self) -> int:
        """How many pictures wait because they were skipped."""
        return sum(each in self._listed and each not in self._project.labels for each in self._skipped)

    def _leave(self, where: list[Picture]) -> None:
        if self.picture is not None:
            where.append(self.picture)

    def _is_open(self, picture: Picture) -> bool:
        return (
            picture != self.picture
            and picture in self._listed
            and picture not in self._project.labels
            and picture not in self._skipped
            and picture not in self._unusable
        )
