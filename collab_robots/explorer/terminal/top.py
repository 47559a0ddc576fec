"""``ledger top``: a ledger live, on the whole terminal; works over SSH from 80x24 on."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DataTable, Footer, Input, Static, TabbedContent, TabPane

from collab_robots.core.errors import CollabError
from collab_robots.explorer.terminal.print import plain
from collab_robots.explorer.terminal.top_feed import Feed, Look, Opener
from collab_robots.explorer.terminal.top_lines import headline, LISTINGS
from collab_robots.explorer.terminal.top_widgets import Details, help_text, Lines, Traffic

PERIOD = 1.0  # s between two looks: nobody tells a process that another one wrote to a file
TABS = ('robots', 'dag', 'tasks', 'trust', 'traffic')
_TITLES = ('Robots', 'DAG', 'Tasks', 'Trust', 'Traffic')


class Progress(Message):
    """How far the ledger is read."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words


class Top(App[CollabError]):
    """
    Shows a ledger until somebody quits.

    :returns: from ``run`` why the ledger could not be opened, or None. What goes wrong later is
        shown, and tried again.
    :param opener: opens the ledger.
    :param period: s between two looks.
    """

    TITLE = 'ledger top'
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: 2; padding: 0 1; }
    #head, #status { text-wrap: nowrap; text-overflow: ellipsis; }
    TabbedContent { height: 1fr; }
    TabPane { padding: 0 1; }
    Lines { height: 1fr; scrollbar-size-horizontal: 0; }
    Lines, VerticalScroll { scrollbar-size-vertical: 1; }
    Traffic Sparkline { height: 3; margin: 0 0 1 0; }
    #filter { display: none; height: 1; border: none; padding: 0 1; }
    #status { height: 1; padding: 0 1; background: $panel; }
    Details { align: center middle; }
    Details VerticalScroll { height: 1fr; margin: 1 1 0 1; padding: 1 1; background: $surface; }
    Details #hint { height: 1; padding: 0 1; margin: 0 1 1 1; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n), f'tab({name!r})', show=False) for n, name in enumerate(TABS, 1)),
        Binding('p', 'pause', 'pause'),
        Binding('slash', 'filter', 'filter', key_display='/'),
        Binding('question_mark', 'help', 'help', key_display='?'),
        Binding('escape', 'all', show=False),
        Binding('q', 'quit', 'quit'),
        Binding('ctrl+c', 'quit', show=False, priority=True),
    ]

    def __init__(self, opener: Opener, period: float = PERIOD) -> None:
        super().__init__()
        self._percent = ('', -1)
        self._feed = Feed(opener, self._told)
        self._period = period
        self._newest: Look | None = None
        self._shown: Look | None = None
        self._paused = False
        self._words = ''
        self._trouble = ''

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static(id='head')
        with TabbedContent(initial='robots'):
            for number, (name, title) in enumerate(zip(TABS, _TITLES, strict=True), 1):
                with TabPane(f'{number} {title}', id=name):
                    if name in LISTINGS:
                        yield Lines(f'{name}-lines', LISTINGS[name].columns)
                    else:
                        yield Traffic()
        yield Input(placeholder='only lines with these words; Escape for all', id='filter')
        yield Static(plain('reading'), id='status')
        yield Footer()

    def on_mount(self) -> None:
        """Begin to follow the ledger."""
        self._follow()

    def on_unmount(self) -> None:
        """Stop reading."""
        self._feed.close()

    @work
    async def _follow(self) -> None:
        try:
            last = await self._feed.open()
        except CollabError as error:
            self.exit(error)
            return
        trouble, self._newest = '', last
        self._show()
        while True:
            await asyncio.sleep(self._period)
            try:
                last, trouble = await self._feed.look(last), ''
            except CollabError as error:
                trouble = f'{error}; trying again'
            if last is not self._newest or trouble != self._trouble:
                self._newest, self._trouble = last, trouble
                self._show()

    def _told(self, what: str, done: int, total: int) -> None:
        """Tell the screen of each percent; called in the thread that reads."""
        percent = (what, 100 * done // max(total, 1))
        if percent != self._percent:
            self._percent = percent
            self.post_message(Progress(f'{what}: {percent[1]} %'))

    @on(Progress)
    def _progress(self, progress: Progress) -> None:
        if self._shown is None:
            self.query_one('#status', Static).update(plain(progress.words))

    def _show(self) -> None:
        """Bring the screen up to date, unless it is paused."""
        if not self._paused:
            self._shown = self._newest
            self._fill()
        self.query_one('#status', Static).update(self._status())

    def _status(self) -> Text:
        parts = []
        if self._paused and self._newest is not None and self._shown is not None:
            waiting = self._newest.overview.blocks - self._shown.overview.blocks
            parts.append(plain(f'PAUSED, {waiting} blocks waiting; p goes on', 'bold reverse'))
        if self._words:
            parts.append(plain(f'only lines with {self._words!r}; Escape for all', 'bold'))
        if self._trouble:
            parts.append(plain(self._trouble, 'bold red'))
        return Text('   ').join(parts) if parts else plain('live', 'dim')

    def _fill(self) -> None:
        """Show the head and the present tab."""
        if self._shown is None:
            return
        self.query_one('#head', Static).update(headline(self._shown))
        tab = self.query_one(TabbedContent).active
        if tab not in LISTINGS:
            self.query_one(Traffic).fill(self._shown)
            return
        lines = [line for line in LISTINGS[tab].lines(self._shown) if line.has(self._words)]
        self.query_one(f'#{tab}-lines', Lines).fill(lines)

    @on(TabbedContent.TabActivated)
    def _turned(self) -> None:
        tab = self.query_one(TabbedContent).active
        if tab in LISTINGS:
            self.query_one(f'#{tab}-lines', Lines).focus()
        self._fill()

    @on(DataTable.RowSelected)
    def _chosen(self, event: DataTable.RowSelected) -> None:
        if event.row_key.value is not None:
            self._open(self.query_one(TabbedContent).active, event.row_key.value)

    @work(exclusive=True, group='details')
    async def _open(self, tab: str, key: str) -> None:
        """Tell all about a line."""
        try:
            found = await self._feed.ask(lambda reader: LISTINGS[tab].details(reader, key))
        except CollabError as error:
            found = plain(str(error), 'red')
        self.push_screen(Details(found))

    @on(Input.Changed, '#filter')
    def _filter(self, event: Input.Changed) -> None:
        self._words = event.value
        self._fill()
        self.query_one('#status', Static).update(self._status())

    @on(Input.Submitted, '#filter')
    def _filtered(self) -> None:
        self.query_one('#filter').display = False
        self._turned()

    def action_tab(self, name: str) -> None:
        """Turn to a tab."""
        self.query_one(TabbedContent).active = name

    def action_pause(self) -> None:
        """Pause, or go on."""
        self._paused = not self._paused
        self._show()

    def action_filter(self) -> None:
        """Ask which lines to show."""
        words = self.query_one('#filter', Input)
        words.display = True
        words.focus()

    def action_all(self) -> None:
        """Show all lines again."""
        self.query_one('#filter', Input).value = ''
        self._filtered()

    def action_help(self) -> None:
        """Say what the keys do."""
        self.push_screen(Details(help_text()))
