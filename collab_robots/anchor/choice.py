"""Which of the collected signatures go to the chain: the highest that enough robots made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from collab_robots.anchor.replay import Replay
from collab_robots.anchor.signatures import Collected
from collab_robots.anchor.statement import Signers, Statement
from collab_robots.core.errors import ChainError

Kind = TypeVar('Kind', Statement, Signers)


def choose(
    found: Collected, kind: type[Kind], present: Signers, replay: Replay
) -> tuple[Kind, Mapping[bytes, bytes]]:
    """
    Return what two thirds of the present signers signed, and their signatures.

    :param kind: of what is looked for; the highest of it is taken.
    :param replay: a ledger that has to say the same.
    :raises ChainError: if too few signed the same, or the ledger says something else.
    :raises ConfigError: if the ledger does not reach that height.
    """
    signed = {what: made for what, made in found.signed.items() if isinstance(what, kind)}
    if not signed:
        raise ChainError('no file has a signature that counts' + _refused(found))
    ready = [what for what, made in signed.items() if present.reaches(present.weight_of(made))]
    if not ready:
        raise ChainError(_lacking(signed, present, replay) + _refused(found))
    what = max(ready, key=lambda one: one.height)
    agreed = replay.at(what.height)
    own = agreed.statement if isinstance(what, Statement) else agreed.signers
    if own != what:
        raise ChainError(
            'two thirds of the fleet signed something else than this ledger says:\n'
            f'  signed: {what}\n  ledger: {own}'
        )
    return what, signed[what]


def _refused(found: Collected) -> str:
    return ''.join(f'\n{path} does not count: {why}' for path, why in found.refused.items())


def _lacking(
    signed: Mapping[Kind, Mapping[bytes, bytes]], present: Signers, replay: Replay
) -> str:
    """Say how near the best of what was signed is, and who has not signed it."""
    what = max(signed, key=lambda one: (present.weight_of(signed[one]), one.height))
    names = {robot.signer: robot.name for robot in replay.at(replay.final).robots}
    missing = [
        names.get(signer, '0x' + signer.hex())
        for signer, _ in present.weights
        if signer not in signed[what]
    ]
    others = f'; the files sign {len(signed)} different things' if len(signed) > 1 else ''
    return (
        f'height {what.height} is signed by weight {present.weight_of(signed[what])} of '
        f'{present.total}, two thirds are needed; not by {", ".join(missing)}{others}'
    )
