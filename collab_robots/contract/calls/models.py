"""Calls of the contract Models: who may serve what, who does, and audits that failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from eth_utils.crypto import keccak

from collab_robots.contract.artifact import SELECTOR_BYTES, suite
from collab_robots.contract.calls import common
from collab_robots.contract.calls.common import encode
from collab_robots.core.errors import CallError
from collab_robots.core.fleet import MAX_ROBOTS

_PART = '{part[1]:|all|the head|the tail} of model {part[0]} at cut {part[2]}'  # Models.Half
_FAILURE = '{kind:|nothing|a timeout|a refusal|a wrong answer}'  # Models.Failure

CALLS: Mapping[str, str] = {
    'permit': f'permit {_PART} to robots {{robots:robots}}',
    'offer': 'offer {id}: {serves}',
    'audit': f'found {_FAILURE} of {{subject}} with {{part}}, frame {{frame}}',
}
ERRORS: Mapping[str, str] = {
    'BadPart': 'there is no such part of model {model}: cut {cut}, digest {digest}',
    'NoSuchRobots': 'not all of robots {mask:robots} are among the {size} of the fleet',
    'OwnAudit': '{sender} cannot audit itself',
    'NoFailure': 'an audit of {subject} that found nothing is no fact',
}
EVENTS: Mapping[str, str] = {'Permitted': '', 'Offered': '', 'Audited': '', 'Tallied': ''}


class Half(IntEnum):
    """Which side of a cut a part is; the numbers are those of the contract, as for Failure."""

    WHOLE = 0
    HEAD = 1
    TAIL = 2


class Failure(IntEnum):
    """How an audit failed: three different things, of which only the last one is a lie."""

    TIMEOUT = 1
    REFUSED = 2
    WRONG = 3


class Part(NamedTuple):
    """
    What one robot can run.

    :param model: hash of weights and graph of the whole model, 32 bytes.
    :param cut: its number; 0 for the whole.
    :param digest: hash of the part's bytes, as robots load them, 32 bytes.
    """

    model: bytes
    half: int
    cut: int
    digest: bytes


def part_id(part: Part) -> bytes:
    """
    Return what names a part on every robot, 32 bytes.

    :raises CallError: if a value is out of range, as for every call below.
    """
    common.digest(part.model)
    common.digest(part.digest)
    common.within('half', part.half, min(Half), max(Half))
    if part.half == Half.WHOLE and part.cut:
        raise CallError(f'the whole model has no cut, got {part.cut}')
    signature = suite().contracts['Models'].functions['partId']
    return keccak(signature.encode(part)[SELECTOR_BYTES:])


def permit(part: Part, robots: Iterable[int]) -> bytes:
    """
    Encode: the robots with these indices may serve a part, and no others, says the sender.

    :param robots: none to take it back.
    """
    part_id(part)
    bits = {1 << common.within('robot', robot, 0, MAX_ROBOTS - 1) for robot in robots}
    return encode('permit', part, sum(bits))


def offer(part: bytes, serves: bool) -> bytes:
    """Encode: whether the sender serves the part with this id."""
    return encode('offer', _id(part), serves)


def audit(subject: bytes, part: bytes, frame: int, failure: Failure) -> bytes:
    """
    Encode: a robot failed an audit.

    :param subject: its address, 20 bytes.
    :param part: id of the part it was asked for.
    :param frame: what names the input on the sender.
    """
    kind = common.within('failure', failure, min(Failure), max(Failure))
    return encode('audit', common.robot(subject), _id(part), frame, kind)


def _id(value: bytes) -> bytes:
    return common.fixed('id', value, common.KEY_BYTES)
