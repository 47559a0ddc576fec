"""Tables as JSON lines, CSV and Parquet."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping
import csv
from itertools import islice
import json
import types
from typing import Any, BinaryIO, get_args, get_origin, get_type_hints, TYPE_CHECKING

from collab_robots.explorer.export.tables import Row

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 10_000  # rows that Parquet has in memory at a time


def write_jsonl(kind: type[Row], rows: Iterable[Row], file: BinaryIO) -> None:
    """Write a JSON object on a line for each row (UTF-8)."""
    for row in rows:
        line = json.dumps(row._asdict(), ensure_ascii=False, separators=(',', ':'))
        file.write(line.encode() + b'\n')


def write_csv(kind: type[Row], rows: Iterable[Row], file: BinaryIO) -> None:
    """
    Write a table, quoted as in RFC 4180, with the names of its columns first (UTF-8).

    Lists and mappings are JSON, what there is not is empty, a bool is True or False. No value is
    changed: a spreadsheet may take text that begins with =, +, - or @ for a formula.
    """
    table = csv.writer(codecs.getwriter('utf-8')(file), lineterminator='\n')
    table.writerow(kind._fields)
    for row in rows:
        table.writerow(_cell(value) for value in row)


def write_parquet(
    kind: type[Row], rows: Iterable[Row], file: BinaryIO, about: Mapping[str, str]
) -> None:
    """
    Write a table as Parquet.

    :param about: goes into the file's metadata.
    """
    import pyarrow as pa
    from pyarrow import parquet

    columns = schema(kind).with_metadata(dict(about))
    with parquet.ParquetWriter(file, columns, compression='zstd') as writer:
        for batch in _batches(iter(rows)):
            values = zip(*batch, strict=True)
            arrays = [
                pa.array(
                    [list(v.items()) if isinstance(v, dict) else v for v in column], kept.type
                )
                for kept, column in zip(columns, values, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=columns))


def schema(kind: type[Row]) -> pa.Schema:
    """Return the Arrow types of a table's columns."""
    import pyarrow as pa

    plain: dict[object, pa.DataType] = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
        tuple[str, ...]: pa.list_(pa.string()),
        dict[str, float]: pa.map_(pa.string(), pa.float64()),
    }
    return pa.schema(
        [
            pa.field(name, plain[_value_type(hint)], nullable=get_origin(hint) is types.UnionType)
            for name, hint in get_type_hints(kind).items()
        ]
    )


def _value_type(hint: Any) -> object:
    """Return the type of what is there: of ``int | None`` int."""
    return get_args(hint)[0] if get_origin(hint) is types.UnionType else hint


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (tuple, dict)) else value


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch
