"""The ways to answer one camera frame: alone, or with a helper, and what is sent then."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
import re

from collab_robots.core.errors import Refusal, RefusedError

MAX_CUT = 255
BITS = (8, 6, 4, 3, 2, 32)  # 32: float32 as it is, what Neurosurgeon sends
JPEG_QUALITIES = (75, 90)
NO_EXIT = -1


class Kind(str, Enum):
    """What a frame's answer needs from others."""

    LOCAL = 'local'  # nothing
    SPLIT = 'split'  # the tail, from a coded tensor
    JPEG = 'jpeg'  # all of the model, from the compressed picture
    RAW = 'raw'  # all of the model, from the pixels


@dataclass(frozen=True, order=True)
class Option:
    """
    One way to answer a frame.

    :param kind: what is sent.
    :param cut: the cut whose tensor is sent; 0, the input, unless the kind is SPLIT.
    :param bits: of a sent number, one of :data:`BITS`; 0 unless the kind is SPLIT.
    :param bottleneck: whether the tensor passes the trained encoder of its cut.
    :param quality: of the JPEG, 1 to 100; 0 unless the kind is JPEG.
    :param exit: the cut of an early exit that is asked on the way, here, before anything is sent;
        :data:`NO_EXIT` if none is. A SPLIT asks none behind its cut.
    :raises RefusedError: if these do not fit together.
    """

    kind: Kind
    cut: int = 0
    bits: int = 0
    bottleneck: bool = False
    quality: int = 0
    exit: int = NO_EXIT

    def __post_init__(self) -> None:
        """Refuse what is no option."""
        numbers = (self.cut, self.bits, self.quality, self.exit)
        good = isinstance(self.kind, Kind) and isinstance(self.bottleneck, bool)
        if not good or any(type(number) is not int for number in numbers):
            raise RefusedError(Refusal.MALFORMED, f'expected an option, got {self!r}')
        split, last = self.kind is Kind.SPLIT, self.cut
        if self.kind is Kind.LOCAL:
            last = MAX_CUT
        if not (
            (1 <= self.cut <= MAX_CUT and self.bits in BITS if split else self.cut == 0)
            and (split or (self.bits == 0 and not self.bottleneck))
            and (1 <= self.quality <= 100 if self.kind is Kind.JPEG else self.quality == 0)
            and (self.exit == NO_EXIT or 1 <= self.exit <= last)
        ):
            raise RefusedError(Refusal.MALFORMED, f'the parts of an option do not fit: {self!r}')

    @property
    def remote(self) -> bool:
        """Whether it needs a helper."""
        return self.kind is not Kind.LOCAL

    def __str__(self) -> str:
        """Return its short name, such as ``split@9/4b+bottleneck+exit5``."""
        name: str = self.kind.value
        if self.kind is Kind.SPLIT:
            name += f'@{self.cut}/{self.bits}b' + ('+bottleneck' if self.bottleneck else '')
        if self.kind is Kind.JPEG:
            name += str(self.quality)
        return name + (f'+exit{self.exit}' if self.exit != NO_EXIT else '')

    @classmethod
    def parse(cls, text: str) -> Option:
        """
        Return the option with this short name.

        :raises RefusedError: if there is none.
        """
        found = _NAME.fullmatch(text)
        if found is None:
            raise RefusedError(Refusal.MALFORMED, f'expected an option, got {text[:80]!r}')
        option = cls(
            Kind(next(kind.value for kind in Kind if text.startswith(kind.value))),
            int(found['cut'] or 0),
            int(found['bits'] or 0),
            found['bottleneck'] is not None,
            int(found['quality'] or 0),
            int(found['exit'] or NO_EXIT),
        )
        if str(option) != text:
            raise RefusedError(Refusal.MALFORMED, f'expected {option}, got {text!r}')
        return option


_NAME = re.compile(
    r'(?:local|raw|jpeg(?P<quality>[0-9]{1,3})'
    r'|split@(?P<cut>[0-9]{1,3})/(?P<bits>[0-9]{1,2})b(?P<bottleneck>\+bottleneck)?)'
    r'(?:\+exit(?P<exit>[0-9]{1,3}))?'
)
LOCAL = Option(Kind.LOCAL)
