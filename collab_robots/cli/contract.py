"""``collab-robots contract …``: the fleet on a public chain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from collab_robots.cli.common import plain_errors, print_pairs
from collab_robots.cli.contract_anchor import (
    anchor,
    ANCHOR_EPILOG,
    set_signers,
    SET_SIGNERS_EPILOG,
    verify_anchor,
    VERIFY_EPILOG,
)
from collab_robots.cli.contract_common import (
    DbOption,
    DeploymentOption,
    EXIT_CODES,
    FleetOption,
    HeightOption,
    JsonOption,
    NetworkOption,
    open_chain,
    open_payer,
    PasswordOption,
    PayerOption,
    progress,
    RpcOption,
    TimeoutOption,
)

contract_app = typer.Typer(
    no_args_is_help=True, help='Anchor what the fleet agreed on, on a public chain (IOTA EVM).'
)


@contract_app.command('networks')
def networks(as_json: JsonOption = False) -> None:
    """List the chains that are known by name."""
    from collab_robots.anchor.networks import NETWORKS

    if as_json:
        typer.echo(json.dumps({name: net._asdict() for name, net in NETWORKS.items()}, indent=2))
    else:
        for name, network in NETWORKS.items():
            typer.echo(f'{name:18}chain {network.chain_id}  {network.rpc}')


@contract_app.command(
    'signer',
    epilog=(
        'Example:\n\n'
        '  collab-robots contract signer site7/*/key --fleet site7/fleet.yaml > signers.yaml\n\n'
        'Robots say their addresses on the ledger themselves; this is for a fleet whose ledger '
        'does not have them yet.'
    ),
)
def signer(
    keys: Annotated[list[Path], typer.Argument(help="Robots' key files.")],
    fleet: Annotated[Path, typer.Option(help='Fleet file.')],
) -> None:
    """Print the addresses that robots sign anchors with, as a file for "contract deploy"."""
    with plain_errors():
        from collab_robots.anchor import keys as anchor_keys
        from collab_robots.core.errors import ConfigError
        from collab_robots.core.fleet import Fleet
        from collab_robots.core.identity import PrivateKey

        roster = Fleet.load(fleet)
        lines = ['signers:']
        for path in keys:
            key = PrivateKey.load(path)
            if key.public not in roster.index_by_key:
                raise ConfigError(f'{path}: is the key of no robot of fleet {roster.fleet!r}')
            name = roster.robots[roster.index_by_key[key.public]].name
            lines.append(f"  {name}: '0x{anchor_keys.signer(key).hex()}'")
        typer.echo('\n'.join(lines))


@contract_app.command(
    'deploy',
    epilog=(
        'Examples:\n\n'
        '  collab-robots contract deploy --network iota-evm-testnet --key payer.key '
        '--db robot1/ledger.db\n\n'
        '  collab-robots contract deploy --rpc http://localhost:8545 --key payer.key '
        '--fleet site7/fleet.yaml --signers signers.yaml\n\n' + EXIT_CODES
    ),
)
def deploy(
    key: PayerOption,
    rpc: RpcOption = None,
    network: NetworkOption = None,
    db: Annotated[
        Path | None,
        typer.Option(help='Ledger that says who signs: every robot said it in a record.'),
    ] = None,
    height: HeightOption = None,
    signers: Annotated[
        Path | None,
        typer.Option(help='Who signs, should no ledger say it; see "contract signer".'),
    ] = None,
    fleet: FleetOption = None,
    deployment: DeploymentOption = None,
    password_file: PasswordOption = None,
    timeout: TimeoutOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """
    Write the fleet's contracts and Anchor.sol to a chain.

    Where they are is written to anchor.json. What that file has already is left alone, so a
    deployment that was interrupted goes on.
    """
    with plain_errors():
        from collab_robots.anchor.deployed import deployment_file
        from collab_robots.anchor.deployment import deploy as deploy_suite
        from collab_robots.anchor.replay import Replay
        from collab_robots.anchor.roster import roster_in_file
        from collab_robots.core.errors import ConfigError
        from collab_robots.core.fleet import Fleet
        from collab_robots.explorer.files import fleet_file

        if signers is not None and db is None and fleet is not None:
            path = fleet
        elif db is not None and signers is None:
            path = fleet_file(db, fleet)
        else:
            raise ConfigError('say who signs: --db LEDGER, or --fleet FILE and --signers FILE')
        roster, file = Fleet.load(path), deployment_file(deployment, path)
        payer = open_payer(key, roster, password_file)
        with progress() as tell:
            chain = open_chain(rpc, network, None, timeout, tell)
            if signers is not None:
                at, robots = 0, roster_in_file(signers, roster)
            elif db is not None:
                tell(f'executing {db}')
                replay = Replay(db, roster)
                at = replay.final if height is None else height
                robots = replay.at(at).robots
            made = deploy_suite(chain, payer, roster, at, robots, file, tell)
        if as_json:
            typer.echo(json.dumps(made.model_dump(), indent=2))
        else:
            print_pairs({'chain': str(made.chain_id), **made.contracts, 'written to': str(file)})


@contract_app.command(
    'sign',
    epilog=(
        'Examples:\n\n'
        '  collab-robots contract sign --key robot1/key --db robot1/ledger.db --height 1200 '
        '--out robot1.json\n\n'
        '  collab-robots contract sign --key robot1/key --db robot1/ledger.db --signers '
        '--out robot1.signers.json\n\n'
        'All robots have to sign the same height: while they work, name one that is final on all.'
    ),
)
def sign(
    key: Annotated[Path, typer.Option(help="The robot's key file.")],
    db: DbOption,
    height: HeightOption = None,
    signers: Annotated[
        bool,
        typer.Option('--signers', help='Sign who is to sign from there on, not an anchor.'),
    ] = False,
    fleet: FleetOption = None,
    deployment: DeploymentOption = None,
    chain_id: Annotated[
        int | None, typer.Option(min=1, help='Chain, if there is no anchor.json.')
    ] = None,
    contract: Annotated[
        str | None, typer.Option(help='Address of Anchor.sol, if there is no anchor.json.')
    ] = None,
    out: Annotated[
        Path | None, typer.Option('--out', '-o', help='File to write to; else it is printed.')
    ] = None,
) -> None:
    """Sign, as a robot, what its own ledger says the fleet agreed on; no network is needed."""
    with plain_errors():
        from collab_robots.anchor.deployed import Deployed, deployment_file
        from collab_robots.anchor.keys import anchor_key
        from collab_robots.anchor.replay import Replay
        from collab_robots.anchor.roster import check_signers
        from collab_robots.anchor.signatures import signature_file
        from collab_robots.core.errors import ConfigError
        from collab_robots.core.fleet import Fleet
        from collab_robots.core.identity import address, PrivateKey
        from collab_robots.explorer.files import fleet_file

        path = fleet_file(db, fleet)
        roster = Fleet.load(path)
        if (chain_id is None) != (contract is None):
            raise ConfigError('--chain-id and --contract go together')
        if chain_id is not None and contract is not None:
            deployed = Deployed.named(chain_id, contract, roster)
        else:
            deployed = Deployed.load(deployment_file(deployment, path), roster)
        robot = PrivateKey.load(key)
        with progress() as tell:
            tell(f'executing {db}')
            replay = Replay(db, roster)
            agreed = replay.at(replay.final if height is None else height)
        if address(robot.public) not in [one.address for one in agreed.robots]:
            raise ConfigError(f'{key}: is the key of no robot that is in the fleet there')
        if signers:
            check_signers(agreed.signers, agreed.robots)
        what = agreed.signers if signers else agreed.statement
        made = signature_file(what, deployed.place, anchor_key(robot))
        text = json.dumps(made, indent=2) + '\n'
        if out is None:
            typer.echo(text, nl=False)
            return
        try:
            out.write_text(text, encoding='utf-8')
        except OSError as error:
            raise ConfigError(f'{out}: cannot be written: {error.strerror}') from None


contract_app.command('anchor', epilog=ANCHOR_EPILOG)(anchor)
contract_app.command('set-signers', epilog=SET_SIGNERS_EPILOG)(set_signers)
contract_app.command('verify-anchor', epilog=VERIFY_EPILOG)(verify_anchor)
