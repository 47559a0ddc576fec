"""The suite on a public chain: written there once; a file beside the fleet's says where it is."""

from __future__ import annotations

from collections.abc import Sequence
import json
import os
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount

from collab_robots.anchor.chain import Chain, Tell
from collab_robots.anchor.deployed import Deployed
from collab_robots.anchor.roster import check_signers, NOBODY, Robot, signers_of
from collab_robots.anchor.signatures import unhex
from collab_robots.contract.artifact import load_contract, suite
from collab_robots.core.errors import ConfigError
from collab_robots.core.fleet import Fleet


def deploy(
    chain: Chain,
    payer: LocalAccount,
    fleet: Fleet,
    height: int,
    robots: Sequence[Robot],
    path: Path,
    tell: Tell = lambda words: None,
) -> Deployed:
    """
    Write the suite to a chain, but for what the file says is there already.

    On the chain a robot is known by the address of its key for anchors, as transactions have no
    other senders; one that has named none, or another's, by its address on the ledger.

    :param height: of the final order that the robots are the fleet of.
    :param path: the file; brought up to date after every contract, so that a deployment that was
        interrupted goes on.
    :raises ConfigError: if too few robots can sign; if the file is of another fleet or chain, or
        cannot be written.
    :raises ChainError: see :meth:`.Chain.send`.
    """
    made = Deployed(chain_id=chain.id, fleet=fleet.id.hex(), contracts={})
    if path.exists():
        made = Deployed.load(path, fleet)
        if made.chain_id != chain.id:
            raise ConfigError(
                f'{path}: is of chain {made.chain_id}, and {chain.name} is chain {chain.id}; '
                'name another file with --deployment'
            )
    signers = signers_of(fleet.id, height, robots)
    check_signers(signers, robots)
    addresses: dict[bytes, int] = {}
    for robot in robots:
        taken = robot.signer == NOBODY or robot.signer in addresses
        addresses[robot.address if taken else robot.signer] = robot.weight
    known: dict[str, Any] = {'robots': list(addresses), 'weights': list(addresses.values())}
    for contract in (*suite().contracts.values(), load_contract('Anchor')):
        name = contract.name
        if name == 'Anchor':
            known['signers'], known['weights'] = signers.lists()
            known |= {'fleetId': fleet.id, 'height': height, 'total': signers.total}
        there = unhex(made.contracts.get(name, ''))
        if not (there and chain.code(there)):
            tell(f'deploying {name}')
            arguments = [known[parameter.rstrip('_')] for parameter in contract.constructor.names]
            code = contract.constructor.creation(contract.bytecode, *arguments)
            there = chain.send(payer, contract, None, code).created
            contracts = {**made.contracts, name: '0x' + there.hex()}
            made = made.model_copy(update={'contracts': contracts})
            _write(made, path)
        known[name.lower()] = there
    return made


def _write(made: Deployed, path: Path) -> None:
    draft = path.with_name(f'{path.name}.new')
    try:
        draft.write_text(json.dumps(made.model_dump(), indent=2) + '\n', encoding='utf-8')
        os.replace(draft, path)
    except OSError as error:
        raise ConfigError(f'{path}: cannot be written: {error.strerror}') from None
