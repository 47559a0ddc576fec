"""Calls of the contract Fleet."""

from __future__ import annotations

from collections.abc import Mapping

_CHANGE = (  # Fleet.Kind
    '{change[0]:|for nothing|to let {change[5]:text} join with weight {change[3]}'
    '|that robot {change[1]} leaves|that robot {change[1]} has another key'
    '|that robot {change[1]} has weight {change[3]}|that robot {change[1]} is reinstated}'
)

CALLS: Mapping[str, str] = {
    'vote': f'vote {_CHANGE}',
    'withdraw': 'withdraw the vote for {id}',
    'setCapabilities': 'can do {mask:robots}',
    'registerSigner': 'sign anchors as {signer_}',
    'closeEpoch': 'close the epoch, convicted: {convicted:robots}',
}
ERRORS: Mapping[str, str] = {
    'BadRoster': 'a roster of {robots} robots and {weights} weights',
    'BadGenesisWeight': '{robot} cannot have weight {weight}',
    'MemberTwice': '{robot} is in the roster twice',
    'NotMember': '{robot} is not in the fleet',
    'Expelled': '{robot} is expelled',
    'NotSystem': '{sender} cannot close epochs, only the ledger can',
    'CannotApply': (  # Fleet.Obstacle
        'the change cannot be made: {obstacle:|there is no obstacle|it is malformed'
        '|there is no such weight|there is no such name|the name is taken|the key is or was in use'
        '|the fleet is full|there is no such robot|the robot has changed|it is not expelled'
        '|nobody would be left}'
    ),
    'VotedAlready': '{sender} votes for {id} already',
    'TooManyVotes': '{sender} votes for {most} other changes',
    'NoOpenVote': '{sender} has no open vote for {id}',
}
EVENTS: Mapping[str, str] = {
    'Voted': '',
    'Withdrawn': '',
    'Applied': '{id} is applied in epoch {epoch}',
    'RobotChanged': '',
    'Expulsion': '{robot} is expelled',
    'EpochBegan': 'epoch {epoch} begins',
    'CapabilitiesSet': '',
    'SignerRegistered': '',
}
