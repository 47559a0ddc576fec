"""Calls of the contract Models."""

from __future__ import annotations

from collections.abc import Mapping

_PART = '{part[1]:|all|the head|the tail} of model {part[0]} at cut {part[2]}'  # Models.Half
_FAILURE = '{kind:|nothing|a timeout|a refusal|a wrong answer}'  # Models.Failure

CALLS: Mapping[str, str] = {
    'permit': f'permit {_PART} to robots {{robots:robots}}',
    'offer': 'offer {id}: {serves}',
    'audit': f'found {_FAILURE} of {{subject}} with {{part}}, frame {{frame}}',
}
ERRORS: Mapping[str, str] = {
    'BadPart': 'there is no such part of model {model}: cut {cut}, digest {digest}',
    'NoSuchRobots': 'robots {mask:robots} of {size}',
    'OwnAudit': '{sender} cannot audit itself',
    'NoFailure': 'an audit of {subject} that found nothing is no fact',
}
EVENTS: Mapping[str, str] = {'Permitted': '', 'Offered': '', 'Audited': '', 'Tallied': ''}
