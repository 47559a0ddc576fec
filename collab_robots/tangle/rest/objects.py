"""
The JSON objects of TIP-25, and what stands for things that this ledger does not have.

- *Milestone*: none. The final order takes its place: the block at position p of it, from 0, counts
  as referenced by milestone p + 1, alone in it (white flag index 0). So *referenced* means final,
  and a milestone's index is how many blocks are final with it. There is no milestone id.
- *Ledger inclusion*: always ``noTransaction``; a contract call is data to TIP-25.
- *Token, rent, below max depth*: none; zeros.
- *Peer*: a robot of the roster. Its id is its public key, not a libp2p one, and it has no address.
"""

from __future__ import annotations

from typing import Any

from collab_robots import __version__
from collab_robots.core.clock import SECOND
from collab_robots.core.fleet import Fleet, Member
from collab_robots.tangle.block import Block, PROTOCOL_VERSION
from collab_robots.tangle.dag import Entry
from collab_robots.tangle.order import Order
from collab_robots.tangle.rest.block_json import to_hex
from collab_robots.tangle.status import LedgerStatus

MAX_UINT32 = (1 << 32) - 1
HRP = 'tst'  # of bech32 addresses; nothing here has one


def info(
    fleet: Fleet, status: LedgerStatus, order: Order, healthy: bool, rates: tuple[float, float]
) -> dict[str, Any]:
    """
    Return the answer of ``/info``.

    :param rates: new and newly final blocks a second.
    """
    milestone = _milestone(order)
    new, final = rates
    return {
        'name': 'collab_robots',
        'version': __version__,
        'status': {
            'isHealthy': healthy,
            'latestMilestone': milestone,
            'confirmedMilestone': milestone,
            'pruningIndex': order.base,
        },
        'metrics': {
            'blocksPerSecond': new,
            'referencedBlocksPerSecond': final,
            'referencedRate': 100 * final / new if new else 0.0,
        },
        'supportedProtocolVersions': [PROTOCOL_VERSION],
        'protocol': {
            'version': PROTOCOL_VERSION,
            'networkName': fleet.fleet,
            'bech32Hrp': HRP,
            'minPowScore': 0,
            'belowMaxDepth': 0,
            'rentStructure': {'vByteCost': 0, 'vByteFactorData': 0, 'vByteFactorKey': 0},
            'tokenSupply': '0',
        },
        'pendingProtocolParameters': [],
        'baseToken': {
            'name': 'none',
            'tickerSymbol': 'NONE',
            'unit': 'none',
            'decimals': 0,
            'useMetricPrefix': False,
        },
        'features': [],
    }


def _milestone(order: Order) -> dict[str, int]:
    milestone = {'index': order.final}
    if order.final > order.base:
        last = order.entries[order.final - order.base - 1]
        milestone['timestamp'] = min(last.record.issued_at // SECOND, MAX_UINT32)
    return milestone


def metadata(block: Block, entry: Entry | None) -> dict[str, Any]:
    """
    Return the answer of ``/blocks/{id}/metadata``.

    :param entry: its place in the DAG; None while parents are missing.
    """
    value: dict[str, Any] = {
        'blockId': to_hex(block.id),
        'parents': [to_hex(parent) for parent in block.parents],
        'isSolid': entry is not None,
    }
    if entry is not None and entry.position >= 0:
        value |= {
            'referencedByMilestoneIndex': entry.position + 1,
            'ledgerInclusionState': 'noTransaction',
            'whiteFlagIndex': 0,
        }
    elif entry is not None:
        value |= {'shouldPromote': False, 'shouldReattach': False}
    return value


def peer(member: Member, connected: bool) -> dict[str, Any]:
    """Return one entry of ``/peers``."""
    return {
        'id': member.public_key,
        'multiAddresses': [],
        'alias': member.name,
        'relation': 'known',
        'connected': connected,
    }
