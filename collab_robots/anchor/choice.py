"""Which of the collected signatures go to the chain: the highest that enough robots made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

from collab_robots.anchor.replay import Replay
from collab_robots.anchor.signatures import Collected
from collab_robots.anchor.statement import Place, signer_of, Signers, Statement
from collab_robots.core.errors import ChainError, RefusedError

Kind = TypeVar('Kind', Statement, Signers)


def look_up(found: Collected, place: Place, present: Signers, replay: Replay) -> None:
    """
    Take the signatures that robots put on the ledger themselves.

    Each put one there, the newest; those count that are of the height that most weight signed.

    :param found: where they are put.
    :param place: where they have to count.
    """
    agreed = replay.at(replay.final)
    weights = {robot.name: present.weight_of([robot.signer]) for robot in agreed.robots}
    by_height: Counter[int] = Counter()
    for name, (height, _) in agreed.signed.items():
        if replay.first <= height <= replay.final:
            by_height[height] += weights[name]
    if not by_height:
        return
    best = max(by_height, key=lambda height: (by_height[height], height))
    what = replay.at(best).statement
    for name, (height, signature) in agreed.signed.items():
        source = f'what {name} signed on the ledger'
        if height != best:
            found.refused[source] = f'it is height {height}, others signed {best}'
            continue
        try:
            signer = signer_of(what, place, signature)
        except RefusedError as error:
            found.refused[source] = str(error)
        else:
            found.take(source, what, signer, signature, present)


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
        raise ChainError('there is no signature that counts' + _refused(found))
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
    return ''.join(f'\n{source} does not count: {why}' for source, why in found.refused.items())


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
    others = f'; they sign {len(signed)} different things' if len(signed) > 1 else ''
    return (
        f'height {what.height} is signed by weight {present.weight_of(signed[what])} of '
        f'{present.total}, two thirds are needed; not by {", ".join(missing)}{others}'
    )
