"""Public chains that anchors are known to fit on."""

from __future__ import annotations

from typing import NamedTuple


class Network(NamedTuple):
    """
    Where a chain is asked, and how it says that it is the right one.

    :param chain_id: by EIP-155.
    :param rpc: URL of its JSON-RPC.
    """

    chain_id: int
    rpc: str


NETWORKS = {
    'iota-evm': Network(8822, 'https://json-rpc.evm.iotaledger.net'),
    # May be begun anew by those who run it. Some lists say 1075: if so, name its URL instead.
    'iota-evm-testnet': Network(1076, 'https://json-rpc.evm.testnet.iota.cafe'),
}
