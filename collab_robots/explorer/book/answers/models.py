"""Neural networks that robots serve."""

from __future__ import annotations

from collab_robots.explorer.book.answers.base import Answer


class Model(Answer):
    """
    A part of a neural network that robots serve.

    :param id: of the part.
    :param model: hash of the whole; empty while there are only offers.
    :param servers: who may and does serve it.
    :param permissions: per robot how it stands, in words.
    """

    id: str
    model: str
    part: str
    servers: tuple[str, ...]
    permissions: dict[str, str]


class Models(Answer):
    """
    Models, and the audits that robots failed.

    :param failures: per robot and kind, how many each auditor found.
    """

    models: tuple[Model, ...]
    failures: dict[str, dict[str, dict[str, int]]]
