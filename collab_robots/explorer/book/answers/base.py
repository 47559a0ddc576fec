"""What all answers share."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Item = TypeVar('Item')


class Answer(BaseModel):
    """What all answers share."""

    # Built when it is used: a command needs few of them, and should answer at once.
    model_config = ConfigDict(frozen=True, allow_inf_nan=False, defer_build=True)


class Page(Answer, Generic[Item]):
    """
    A part of a long list.

    :param total: how many there are on all pages.
    :param next: what to ask with for the next page; None: this is the last.
    """

    items: tuple[Item, ...]
    total: int
    next: str | None = None
