"""Open a ledger, wherever it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, ExitStack, suppress
import os
from pathlib import Path

from collab_robots.core.errors import ConfigError, StoreError
from collab_robots.explorer.book.index import Index, index_path
from collab_robots.explorer.book.reader import Reader, Told
from collab_robots.explorer.files import find_fleet

CACHE_VARIABLE = 'XDG_CACHE_HOME'
SCHEMES = ('http://', 'https://')


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


@contextmanager
def open_reader(
    source: Path | str, fleet: Path | None = None, told: Told = silent
) -> Iterator[Reader]:
    """
    Give a reader of a ledger.

    :param source: a robot's ledger.db, or the URL of a ``collab-robots ledger web``.
    :param fleet: its fleet file; None looks beside it and one folder up.
    :param told: progress, when much has to be read.
    :raises StoreError: if the file is missing or damaged.
    :raises ConfigError: if it is of another fleet.
    :raises UnreachableError: if nobody answers at the URL.
    """
    if str(source).startswith(SCHEMES):
        from collab_robots.explorer.book.remote import RemoteBook

        with RemoteBook(str(source)) as remote:
            yield remote
        return
    from collab_robots.explorer.book.book import Book
    from collab_robots.explorer.book.migrate import current
    from collab_robots.tangle.store_reader import StoreReader

    path = Path(source)
    with ExitStack() as stack:
        store = StoreReader(stack.enter_context(current(path)))
        stack.callback(store.close)
        whose = f'{path}: robot {store.meta.get("robot")!r} of fleet {store.meta.get("fleet")!r}'
        try:
            roster = find_fleet(path, fleet)
        except ConfigError as error:
            raise ConfigError(f'{whose}: {error}') from None
        if store.meta.get('fleet_id') != roster.id.hex():
            raise ConfigError(f'{whose}, not of {roster.fleet!r}; name its fleet file by --fleet')
        about = {key: store.meta.get(key, '') for key in ('fleet_id', 'robot')}
        cached: Path | None = None
        with suppress(StoreError):
            cached = index_path(_cache(), path)
        index = Index(cached, {**about, 'ledger': str(path.resolve())})
        stack.callback(index.close)
        yield Book(str(source), roster, store, index, told)


def _cache() -> Path:
    folder = os.environ.get(CACHE_VARIABLE)
    return Path(folder or Path.home() / '.cache', 'collab_robots')
