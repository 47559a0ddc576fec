"""What the commands about public chains share: their options, and what these stand for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from collab_robots.anchor.chain import Chain, Tell
    from collab_robots.anchor.deployed import Deployed
    from collab_robots.core.fleet import Fleet

EXIT_CODES = (
    'Exit codes: 0 done, 1 refused, 2 wrong input, 3 the chain does not answer in time: the same '
    'command later goes on.'
)

RpcOption = Annotated[
    str | None, typer.Option(help='URL of a JSON-RPC node of the chain.', metavar='URL')
]
NetworkOption = Annotated[
    str | None,
    typer.Option(help='A chain that is known by name; see "collab-robots contract networks".'),
]
PayerOption = Annotated[
    Path,
    typer.Option(
        help='Key that sends and pays: 64 hexadecimal digits, or an encrypted keystore; mode 0600.'
    ),
]
PasswordOption = Annotated[
    Path | None,
    typer.Option(help="File with the keystore's password, mode 0600; else it is asked for."),
]
DbOption = Annotated[Path, typer.Option(help="A robot's ledger.db; the robot may run.")]
FleetOption = Annotated[
    Path | None,
    typer.Option(
        help='Fleet file; looked for beside the ledger and one folder up if not given.',
        show_default=False,
    ),
]
DeploymentOption = Annotated[
    Path | None,
    typer.Option(
        help='File that says where the contracts are; anchor.json beside the fleet file if not '
        'given.',
        show_default=False,
    ),
]
HeightOption = Annotated[
    int | None,
    typer.Option(min=1, help='How many records are final; all of the ledger if not given.'),
]
TimeoutOption = Annotated[
    float,
    typer.Option(min=1.0, max=86_400.0, help='Seconds that a question or transaction may take.'),
]
JsonOption = Annotated[bool, typer.Option('--json', help='Print as JSON.')]


@contextmanager
def progress() -> Iterator[Tell]:
    """Show a person at a terminal what is waited for."""
    from rich.console import Console

    with Console(stderr=True).status('…') as status:
        yield status.update


def open_chain(
    rpc: str | None, network: str | None, deployed: Deployed | None, timeout: float, tell: Tell
) -> Chain:
    """
    Find the chain.

    :param deployed: says which one it has to be.
    :raises ConfigError: if it is not named, not known, or another one.
    :raises UnreachableError: if it does not answer.
    """
    from collab_robots.anchor.chain import Chain
    from collab_robots.anchor.networks import NETWORKS
    from collab_robots.core.errors import ConfigError

    wanted = None if deployed is None else deployed.chain_id
    if network is not None:
        if network not in NETWORKS:
            raise ConfigError(f'no network {network!r}; known are {", ".join(NETWORKS)}')
        known = NETWORKS[network]
        if wanted not in (None, known.chain_id):
            raise ConfigError(
                f'{network} is chain {known.chain_id}, the contracts are on {wanted}'
            )
        rpc, wanted = rpc or known.rpc, known.chain_id
    if rpc is None:
        raise ConfigError('name the chain: --rpc URL, or --network NAME')
    return Chain(rpc, wanted, timeout, tell=tell)


def open_payer(key: Path, fleet: Fleet, password_file: Path | None) -> LocalAccount:
    """
    Read the key that pays.

    :raises KeyFileError: see :func:`.load_payer`.
    """
    from collab_robots.anchor.payer import load_payer
    from collab_robots.core.identity import read_private

    def password() -> str:
        if password_file is not None:
            return read_private(password_file)
        return str(typer.prompt(f'Password of {key}', hide_input=True, err=True))

    return load_payer(key, fleet, password)
