"""``collab-robots infer serve``, ``run`` and ``bench``: real frames, over DDS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
import json
import os
import socket
from typing import Annotated, Any, TYPE_CHECKING

import typer

from collab_robots.cli.common import FAILED, interrupt_on_term, plain_errors
from collab_robots.cli.infer_common import (
    busy,
    ImagesArgument,
    JsonOption,
    load_outfit,
    ModelArgument,
    ProfileOption,
    read_good_pictures,
    read_pictures,
    SlowOption,
)

if TYPE_CHECKING:
    from collab_robots.inference.album import Picture
    from collab_robots.nodes.infer_client import Client, Named

DomainOption = Annotated[
    int | None,
    typer.Option(min=0, max=232, help='ROS domain; that of the environment if not given.'),
]
WaitOption = Annotated[
    float, typer.Option(min=0.0, max=60.0, help='How long to look for helpers first, s.')
]
HelperOption = Annotated[
    list[str] | None,
    typer.Option(
        '--helper', help='Host where somebody serves, beside those on this network; repeatable.'
    ),
]


def serve(
    model: ModelArgument,
    name: Annotated[
        str, typer.Option(help='What to be called; must differ from that of all others.')
    ] = '',
    peer: Annotated[
        list[str] | None,
        typer.Option(help='Host of a robot that discovery does not find; repeatable.'),
    ] = None,
    profile: ProfileOption = None,
    slow: SlowOption = 1.0,
    domain: DomainOption = None,
) -> None:
    """Help robots with their frames until Ctrl-C."""
    with plain_errors():
        interrupt_on_term()
        _join(peer, domain)
        outfit = load_outfit(model, profile, slow)
        from collab_robots.nodes.infer_client import Client

        with closing(Client(outfit, name or _name('helper'), slow)) as client:
            digest = outfit.engine.model.hash.hex()[:12]
            typer.echo(f'{client.name} serves model {digest}; Ctrl-C ends it')
            try:
                client.serve()
            except KeyboardInterrupt:
                pass


def run(
    model: ModelArgument,
    images: ImagesArgument,
    helper: HelperOption = None,
    profile: ProfileOption = None,
    slow: SlowOption = 1.0,
    wait: WaitOption = 2.5,
    domain: DomainOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Name pictures, with the help of who serves the same model where that is sooner.

    Exit codes: 0 all are named, 1 one is not, 2 wrong input.
    """
    with plain_errors():
        interrupt_on_term()
        pictures = read_pictures(images)
        _join(helper, domain)
        outfit = load_outfit(model, profile, slow)
        from collab_robots.nodes.infer_client import Client

        with closing(Client(outfit, _name('client'), slow)) as client:
            with busy('Looking for helpers'):
                found = client.look_for_helpers(wait)
            if not found:
                typer.echo('nobody offers to help with this model', err=True)
            show = _print_json if as_json else _print_line
            named = [_name_one(client, picture, show) for picture in pictures]
        if not all(named):
            raise typer.Exit(FAILED)


def bench(
    model: ModelArgument,
    images: ImagesArgument,
    helper: HelperOption = None,
    profile: ProfileOption = None,
    slow: SlowOption = 1.0,
    wait: WaitOption = 2.5,
    domain: DomainOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Compare ways to name pictures, on the network as it is: alone, by JPEG, by the planner.

    Without a helper on the network it starts one on this computer.
    """
    with plain_errors():
        from collab_robots.cli.infer_bench import compare, tell

        interrupt_on_term()
        pictures = list(read_good_pictures(images).values())
        _join(helper, domain)
        outfit = load_outfit(model, profile, slow)
        tell(compare(outfit, model, profile, pictures, slow, wait, bool(helper)), as_json)


def _join(hosts: Sequence[str] | None, domain: int | None) -> None:
    """
    Say where DDS looks for others, before it begins to.

    :raises ConfigError: if there is no such host.
    """
    from collab_robots.core.errors import ConfigError

    if domain is not None:
        os.environ['ROS_DOMAIN_ID'] = str(domain)
    for host in hosts or ():
        try:
            socket.getaddrinfo(host, None)
        except (OSError, UnicodeError):
            raise ConfigError(f'{host}: no such host') from None
    if hosts:
        known = os.environ.get('ROS_STATIC_PEERS', '')
        os.environ['ROS_STATIC_PEERS'] = ';'.join(filter(None, [known, *hosts]))


def _name(kind: str) -> str:
    return f'{kind}_{os.urandom(4).hex()}'


def _name_one(client: Client, picture: Picture, show: Callable[[dict[str, Any]], None]) -> bool:
    """Have one picture named and show what came; return whether it was."""
    found: Named | None = None
    row: dict[str, Any] = {'file': str(picture.path)}
    if picture.rgb is not None:
        found = client.name_picture(picture.rgb)
        row |= found.row()
    show(row | ({'refused': picture.why} if picture.why else {}))
    return found is not None and found.named


def _print_json(row: dict[str, Any]) -> None:
    typer.echo(json.dumps(row))


def _print_line(row: dict[str, Any]) -> None:
    if 'refused' in row:
        typer.echo(f'{row["file"]}: refused: {row["refused"]}', err=True)
        return
    label, share = row['top'][0]
    helped = f' with {row["helper"]}' if row['helper'] else ''
    typer.echo(
        f'{row["file"]}: {label} {100 * share:.0f} %  '
        f'[{row["option"]}{helped}, {row["ms"]:.1f} ms, {row["bytes"]:,} B]'
    )
