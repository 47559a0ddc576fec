"""``collab-robots infer …``: networks that robots share, from a torch module to named pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from collab_robots.cli.common import plain_errors
from collab_robots.cli.infer_common import busy, JsonOption, load_model, model_file, ModelArgument
from collab_robots.cli.infer_plan import plan, profile
from collab_robots.cli.infer_run import bench, run, serve

infer_app = typer.Typer(
    no_args_is_help=True,
    help='Name pictures with a network that is split over robots; bring your own network.',
)
for _command, _examples in (
    (
        profile,
        (
            'profile my_net.onnx pictures/',
            'profile efficientnet_lite0 imagenet_samples/ --labels imagenet_samples/index.csv '
            '--out my_profile',
        ),
    ),
    (
        plan,
        (
            'plan efficientnet_lite0 --rate 5 --slow 8 --why',
            'plan efficientnet_lite0 --rate 0.5 --rate 5 --rate 50 --objective energy',
        ),
    ),
    (
        serve,
        ('serve efficientnet_lite0', 'serve my_net.onnx --name base --peer 192.168.8.20'),
    ),
    (
        run,
        (
            'run efficientnet_lite0 photo.jpg',
            'run efficientnet_lite0 photos/ --helper 192.168.8.10 --json',
        ),
    ),
    (bench, ('bench efficientnet_lite0 photos/', 'bench my_net.onnx photos/ --slow 8')),
):
    _lines = ''.join(f'\n\n  collab-robots infer {example}' for example in _examples)
    infer_app.command(epilog=f'Examples:{_lines}')(_command)


@infer_app.command(
    'export',
    epilog=(
        'Examples:\n\n  collab-robots infer export my_package.nets:make_net my_net.onnx --size 224'
        '\n\n  collab-robots infer export collab_robots.inference.graph.zoo:resnet18 r18.onnx'
        '\n\nThe function takes nothing and returns a torch module with its weights. The module '
        'takes one picture, (1, 3, height, width), and returns one tensor. Its code is run: '
        'export only what you trust.'
    ),
)
def infer_export(
    source: Annotated[str, typer.Argument(metavar='MODULE:FUNCTION', help='What makes it.')],
    out: Annotated[Path, typer.Argument(help='The ONNX file to write.')],
    size: Annotated[int, typer.Option(min=8, max=4096, help='Sides of the picture.')] = 224,
    mean: Annotated[
        tuple[float, float, float],
        typer.Option(help="Of red, green and blue, 0 to 255: ImageNet's if not given."),
    ] = (123.675, 116.28, 103.53),
    std: Annotated[
        tuple[float, float, float], typer.Option(help='The same; what is left is divided by it.')
    ] = (58.395, 57.12, 57.375),
) -> None:
    """Make a model that robots can cut of a torch module."""
    with plain_errors():
        from collab_robots.core.config import parse
        from collab_robots.inference.graph.bring import make_module
        from collab_robots.inference.graph.trace import trace
        from collab_robots.inference.model import Model, Preparation, save

        preparation = parse(Preparation, {'mean': mean, 'std': std}, 'preparation')
        module = make_module(source)
        with busy('Tracing'):
            proto = trace(module, (size, size), preparation)
        save(proto.SerializeToString(deterministic=True), out)
        model = Model(proto)
        typer.echo(f'{out}: {len(model.cuts)} cuts, model {model.hash.hex()}')


@infer_app.command(
    'cuts',
    epilog=(
        'Examples:\n\n  collab-robots infer cuts efficientnet_lite0'
        '\n\n  collab-robots infer cuts my_net.onnx --write 9 --out parts'
    ),
)
def infer_cuts(
    model: ModelArgument,
    write: Annotated[
        int | None,
        typer.Option(help='A cut, whose head and tail are written as two ONNX files.'),
    ] = None,
    out: Annotated[Path, typer.Option(help='Folder for these files.')] = Path('.'),
    as_json: JsonOption = False,
) -> None:
    """List the places where one tensor carries everything; write head and tail of one."""
    with plain_errors():
        from rich.console import Console
        from rich.table import Table

        from collab_robots.inference.model import save

        network = load_model(model)
        cuts, last = network.cuts, len(network.cuts) - 1
        if write is not None:
            for name, ends in (('head', (0, write)), ('tail', (write, last))):
                path = out / f'{model_file(model).stem}_{write}_{name}.onnx'
                save(network.onnx(*ends), path)
                typer.echo(path, err=as_json)
            if not as_json:
                return
        sizes = [_numbers(cut.shape) for cut in cuts]
        if as_json:
            rows = [
                {'index': cut.index, 'name': cut.name, 'shape': cut.shape, 'numbers': size}
                for cut, size in zip(cuts, sizes, strict=True)
            ]
            typer.echo(json.dumps({'model': network.hash.hex(), 'cuts': rows}, indent=2))
            return
        table = Table('cut', 'tensor', 'shape', 'numbers', 'of the input', box=None)
        for cut, size in zip(cuts, sizes, strict=True):
            shape = ' × '.join(map(str, cut.shape))
            share = f'{100 * size / sizes[0]:.1f} %'
            table.add_row(str(cut.index), cut.name, shape, f'{size:,}', share)
        Console().print(table)
        typer.echo(f'model {network.hash.hex()}')


def _numbers(shape: tuple[int, ...]) -> int:
    product = 1
    for side in shape:
        product *= side
    return product
