"""Write a ledger to a file in one of the formats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import tempfile
from typing import BinaryIO

from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book.reader import MAX_DAG, Reader, Told
from collab_robots.explorer.export.dag import to_dot
from collab_robots.explorer.export.formats import write_csv, write_jsonl, write_parquet
from collab_robots.explorer.export.forms import Format, What
from collab_robots.explorer.export.tables import Span, TABLES


def export(
    reader: Reader, form: Format, what: What, span: Span, file: BinaryIO, told: Told
) -> None:
    """
    Write a ledger, or a time of it.

    :param what: the table, for formats that hold one.
    :param file: of a format that is no text it has to be seekable.
    :raises ConfigError: if a drawing would have more blocks than can be drawn.
    """
    if form is Format.MCAP:
        from collab_robots.explorer.export.bag import write_bag

        write_bag(reader, span, file, told)
    elif form is Format.DOT:
        dag = reader.dag(since=span.since, until=span.until, limit=MAX_DAG)
        if dag.cut:
            raise ConfigError(f'more than {MAX_DAG} blocks to draw; choose a time')
        file.write(to_dot(dag).encode())
    else:
        table = TABLES[what]
        rows = table.rows(reader, span, told)
        if form is Format.JSONL:
            write_jsonl(table.row, rows, file)
        elif form is Format.CSV:
            write_csv(table.row, rows, file)
        else:
            overview = reader.overview()
            about = {'source': overview.source, 'fleet_id': overview.fleet_id}
            write_parquet(table.row, rows, file, about)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """
    Open a file that appears whole, at the end, or not at all.

    :raises ConfigError: if it cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix='.export-') as folder:
            draft = Path(folder) / path.name
            with draft.open('wb') as file:
                yield file
            os.replace(draft, path)
    except OSError as error:
        raise ConfigError(f'{path}: cannot be written: {error.strerror}') from None
