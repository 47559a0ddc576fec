"""
A ledger as a ROS 2 bag: one MCAP file of ordinary messages, as CDR, with their definitions.

============================ ================================ ===================================
topic                        type                             what
============================ ================================ ===================================
``/ledger/blocks``           std_msgs/String                  each block, as JSON
``/ledger/log``              rcl_interfaces/Log               each call, in words; splits
``/map``                     nav_msgs/OccupancyGrid           the merged map
``/ROBOT/map``               nav_msgs/OccupancyGrid           what a robot sketched, also a lie
``/sightings``               visualization_msgs/MarkerArray   what cameras recognised
``/tasks``                   visualization_msgs/MarkerArray   tasks, and who holds them
``/diagnostics``             diagnostic_msgs/DiagnosticArray  how each robot stands
============================ ================================ ===================================

A message's time is when that was issued. Merged map, tasks and diagnostics show the state at
``MOMENTS`` instants, evenly spread.
"""

from __future__ import annotations

from collections.abc import Iterator
import heapq
from typing import BinaryIO, NamedTuple

from mcap.well_known import Profile, SchemaEncoding
from mcap.writer import Writer

from collab_robots import __version__
from collab_robots.core.errors import ConfigError
from collab_robots.explorer.book.answers import Sketch
from collab_robots.explorer.book.open import silent
from collab_robots.explorer.book.reader import Moment, Reader, Told
from collab_robots.explorer.export import listing, messages
from collab_robots.explorer.export.tables import ns, sketches, Span

MOMENTS = 60
_CDR = 'cdr'


class Said(NamedTuple):
    """
    A message in a bag.

    :param time: s.
    """

    time: float
    topic: str
    type: str
    message: messages.Message


def write_bag(reader: Reader, span: Span, file: BinaryIO, told: Told) -> None:
    """Write the bag of a time of a ledger, in the order of time."""
    overview = reader.overview()
    bag = Writer(file)
    bag.start(Profile.ROS2, f'collab-robots {__version__}')
    about = {'source': overview.source, 'robot': overview.robot}
    bag.add_metadata('ledger', {**about, 'fleet': overview.fleet, 'fleet_id': overview.fleet_id})
    types, topics = dict[str, int](), dict[str, int]()
    streams = (
        _blocks(reader, span, told),
        _splits(reader, span),
        _sketched(reader, span),
        _sightings(reader, span),
        _states(reader, span, told),
    )
    for said in heapq.merge(*streams, key=lambda said: said.time):
        if said.type not in types:
            definition = messages.store().generate_msgdef(said.type, ros_version=2)[0]
            types[said.type] = bag.register_schema(
                said.type, SchemaEncoding.ROS2, definition.encode()
            )
        if said.topic not in topics:
            topics[said.topic] = bag.register_channel(said.topic, _CDR, types[said.type])
        data = bytes(messages.store().serialize_cdr(said.message, said.type))
        bag.add_message(topics[said.topic], ns(said.time), data, ns(said.time))
    bag.finish()  # type: ignore[no-untyped-call]  # mcap annotates nearly all


def _blocks(reader: Reader, span: Span, told: Told) -> Iterator[Said]:
    for block in listing.blocks(reader, span.blocks, told):
        time, robot = block.issued, block.robot or 'unsigned'
        yield Said(time, '/ledger/blocks', messages.TEXT, messages.text(block.model_dump_json()))
        for call in block.calls:
            level = messages.INFO if call.ok and not call.events else messages.WARN
            words = '; '.join((call.words, *call.events))
            if not call.ok:
                words += f': no effect, {call.reason}'
            yield _log(time, level, robot, words, call.name, block.id)
        if not block.calls:
            words = f'record {block.seq}, heartbeat' if block.robot else 'data'
            yield _log(time, messages.DEBUG, robot, words, '', block.id)


def _splits(reader: Reader, span: Span) -> Iterator[Said]:
    for split in sorted(reader.splits(), key=lambda split: split.begin):
        for time in (split.begin, split.end):
            if time is not None and span.holds(time):
                begins = 'begins' if time == split.begin else 'ends'
                words = f'a split {begins}: {split.words}'
                yield _log(time, messages.WARN, '', words, 'split', split.joined or '')


def _log(time: float, level: int, robot: str, words: str, call: str, block: str) -> Said:
    said = messages.log(time, level, robot, words, call, block)
    return Said(time, '/ledger/log', messages.LOG, said)


def _sketched(reader: Reader, span: Span) -> Iterator[Said]:
    """Yield the map that each robot claims, whenever it says something new of it."""
    size, maps = reader.map().region_size, dict[str, dict[tuple[int, int], Sketch]]()
    for x, y, made in sketches(reader, span):
        known = maps.setdefault(made.robot, {})
        known[x, y] = made.sketch
        claimed = messages.grid(made.time, known, size)
        yield Said(made.time, f'/{made.robot}/map', messages.GRID, claimed)


def _sightings(reader: Reader, span: Span) -> Iterator[Said]:
    found = sorted(reader.map().sightings, key=lambda seen: seen.time)
    for number, seen in enumerate(found):
        if span.holds(seen.time):
            marker = messages.sighting(seen, number)
            yield Said(seen.time, '/sightings', messages.MARKERS, marker)


def _states(reader: Reader, span: Span, told: Told) -> Iterator[Said]:
    """Yield what all records came to, at evenly spread instants up to the last record."""
    overview = reader.overview()
    if not overview.blocks:
        return
    begin = overview.first if span.since is None else max(span.since, overview.first)
    end = overview.last if span.until is None else min(span.until, overview.last)
    for number in range(1, MOMENTS + 1 if begin <= end else 0):
        time = begin + (end - begin) * number / MOMENTS
        at = Moment(time=time)
        try:
            found = reader.map(at)
        except ConfigError:
            continue  # that far back the file does not reach any more
        known = {region.region: region.merged for region in found.regions}
        if known:
            merged = messages.grid(time, known, found.region_size)
            yield Said(time, '/map', messages.GRID, merged)
        robots = reader.robots(at)
        names = [robot.name for robot in robots]
        tasks = messages.tasks(time, listing.tasks(reader, at, silent), names)
        yield Said(time, '/tasks', messages.MARKERS, tasks)
        standing = messages.diagnostics(time, robots)
        yield Said(time, '/diagnostics', messages.DIAGNOSTICS, standing)
        told('reading states', number, MOMENTS)
