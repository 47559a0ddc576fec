"""``collab-robots contract anchor``, ``set-signers`` and ``verify-anchor``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TYPE_CHECKING, TypeVar

import typer

from collab_robots.cli.common import FAILED, OK, plain_errors, print_pairs, UNREACHABLE
from collab_robots.cli.contract_common import (
    DbOption,
    DeploymentOption,
    FleetOption,
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

if TYPE_CHECKING:
    from collab_robots.anchor.chain import Receipt, Tell
    from collab_robots.anchor.contract import AnchorContract
    from collab_robots.anchor.deployed import Deployed
    from collab_robots.anchor.replay import Replay
    from collab_robots.anchor.signatures import Collected
    from collab_robots.anchor.statement import Signers, Statement
    from collab_robots.core.fleet import Fleet

    Kind = TypeVar('Kind', Statement, Signers)

FilesArgument = Annotated[
    list[Path], typer.Argument(help='Files that "contract sign" wrote, of any robots.')
]
MoreFilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(help='More that "contract sign" wrote, for robots that did not.'),
]
SEND_CODES = (
    'Exit codes: 0 it is on the chain, 1 refused (also: too few signatures), 2 wrong input, '
    '3 the chain does not answer in time: the same command later goes on.'
)
ANCHOR_EPILOG = (
    'Example:\n\n'
    '  collab-robots contract anchor --network iota-evm --key payer.key --db robot1/ledger.db\n\n'
    'Robots sign by themselves, and their signatures are on the ledger. The highest height is '
    'taken that two thirds of the fleet signed, there or in files, and that the ledger agrees '
    'with. What is on the chain already is not sent again.\n\n' + SEND_CODES
)
SET_SIGNERS_EPILOG = (
    'Example:\n\n'
    '  collab-robots contract set-signers --network iota-evm --key payer.key '
    '--db robot1/ledger.db signers/*.json\n\n'
    'The files are those of "contract sign --signers", made by present signers.\n\n' + SEND_CODES
)
VERIFY_EPILOG = (
    'Examples:\n\n'
    '  collab-robots contract verify-anchor --network iota-evm --db robot1/ledger.db\n\n'
    '  collab-robots contract verify-anchor --rpc http://localhost:8545 --db robot1/ledger.db '
    '--json\n\n'
    'Exit codes: 0 they agree, 1 they part, 2 wrong input, 3 nothing could be compared: no answer '
    'in time, or no anchor at a height that the ledger has.'
)


def anchor(
    key: PayerOption,
    db: DbOption,
    files: MoreFilesArgument = None,
    rpc: RpcOption = None,
    network: NetworkOption = None,
    fleet: FleetOption = None,
    deployment: DeploymentOption = None,
    password_file: PasswordOption = None,
    timeout: TimeoutOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Write what two thirds of the fleet signed, and this ledger says too, to Anchor.sol."""
    with plain_errors():
        from collab_robots.anchor.statement import Statement

        files_of = _find(db, fleet, deployment)
        payer = open_payer(key, files_of.fleet, password_file)
        with progress() as tell:
            opened = _open(files_of, rpc, network, timeout, tell)
            found, what, signatures = _choose(files or [], Statement, opened)
            tell(f'anchoring height {what.height}')
            receipt = opened.contract.anchor(payer, what, signatures)
        _say_sent(found, what, len(signatures), receipt, as_json)


def set_signers(
    files: FilesArgument,
    key: PayerOption,
    db: DbOption,
    rpc: RpcOption = None,
    network: NetworkOption = None,
    fleet: FleetOption = None,
    deployment: DeploymentOption = None,
    password_file: PasswordOption = None,
    timeout: TimeoutOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Let the robots that are in the fleet now sign for Anchor.sol from now on."""
    with plain_errors():
        from collab_robots.anchor.statement import Signers

        files_of = _find(db, fleet, deployment)
        payer = open_payer(key, files_of.fleet, password_file)
        with progress() as tell:
            opened = _open(files_of, rpc, network, timeout, tell)
            found, what, signatures = _choose(files, Signers, opened)
            tell(f'changing the signers to those of height {what.height}')
            receipt = opened.contract.set_signers(payer, what, signatures)
        _say_sent(found, what, len(signatures), receipt, as_json)


def verify_anchor(
    db: DbOption,
    rpc: RpcOption = None,
    network: NetworkOption = None,
    fleet: FleetOption = None,
    deployment: DeploymentOption = None,
    timeout: TimeoutOption = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Say whether a ledger file agrees with the chain, and if not, from where on."""
    with plain_errors():
        from collab_robots.anchor.verify import Outcome, verify

        with progress() as tell:
            opened = _open(_find(db, fleet, deployment), rpc, network, timeout, tell)
            tell(f'comparing {db} with the chain')
            report = verify(opened.replay, opened.contract)
        if as_json:
            anchors = {
                name: None if anchor is None else _plain(anchor._asdict())
                for name, anchor in (
                    ('latest', report.latest),
                    ('agreed', report.agreed),
                    ('parted', report.parted),
                )
            }
            reach = {'first': opened.replay.first, 'final': opened.replay.final}
            told = {'outcome': report.outcome.value, 'words': report.words, 'ledger': reach}
            typer.echo(json.dumps({**told, **anchors}, indent=2))
        else:
            typer.echo('\n'.join(report.words))
    codes = {Outcome.AGREES: OK, Outcome.NOTHING_TO_COMPARE: UNREACHABLE}
    raise typer.Exit(codes.get(report.outcome, FAILED))


class _Files(NamedTuple):
    db: Path
    fleet: Fleet
    deployed: Deployed


class _Opened(NamedTuple):
    contract: AnchorContract
    replay: Replay


def _find(db: Path, fleet: Path | None, deployment: Path | None) -> _Files:
    from collab_robots.anchor.deployed import Deployed, deployment_file
    from collab_robots.core.fleet import Fleet
    from collab_robots.explorer.files import fleet_file

    path = fleet_file(db, fleet)
    roster = Fleet.load(path)
    return _Files(db, roster, Deployed.load(deployment_file(deployment, path), roster))


def _open(
    files: _Files, rpc: str | None, network: str | None, timeout: float, tell: Tell
) -> _Opened:
    """Open the contract and the ledger; the chain first, which fails sooner."""
    from collab_robots.anchor.contract import AnchorContract
    from collab_robots.anchor.replay import Replay

    chain = open_chain(rpc, network, files.deployed, timeout, tell)
    contract = AnchorContract(chain, files.deployed.place.contract, files.fleet)
    tell(f'reading {files.db}')
    return _Opened(contract, Replay(files.db, files.fleet))


def _choose(
    files: Sequence[Path], kind: type[Kind], opened: _Opened
) -> tuple[Collected, Kind, Mapping[bytes, bytes]]:
    """Take what enough robots signed."""
    from collab_robots.anchor.choice import choose, look_up
    from collab_robots.anchor.signatures import collect
    from collab_robots.anchor.statement import Statement

    place, present = opened.contract.place, opened.contract.signers()
    found = collect(files, place, present)
    if kind is Statement:
        look_up(found, place, present, opened.replay)
    what, signatures = choose(found, kind, present, opened.replay)
    return found, what, signatures


def _say_sent(
    found: Collected,
    what: Statement | Signers,
    signatures: int,
    receipt: Receipt | None,
    as_json: bool,
) -> None:
    for source, why in found.refused.items():
        typer.echo(f'{source} does not count: {why}', err=True)
    told: dict[str, Any] = {'height': what.height, 'signatures': signatures}
    if receipt is not None:
        told |= _plain(
            {
                'transaction': receipt.hash,
                'block': receipt.block,
                'gas': receipt.gas,
                'fee': receipt.fee,
            }
        )
    if as_json:
        typer.echo(json.dumps({'sent': receipt is not None, **told}, indent=2))
    elif receipt is None:
        typer.echo(f'height {what.height} is on the chain already')
    else:
        print_pairs({'signed': str(what), **told})


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON can hold them: bytes as 0x and hexadecimal digits."""
    return {
        key: '0x' + value.hex() if isinstance(value, bytes) else value
        for key, value in values.items()
    }
