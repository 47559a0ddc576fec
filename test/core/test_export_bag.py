"""``ledger export --format mcap``: ordinary ROS 2 messages that tools without ROS read."""

from collections import Counter, defaultdict
from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any, NamedTuple

from fabricated import fabricate
from mcap.reader import make_reader
from mcap.records import Schema
from mcap_ros2.decoder import DecoderFactory
import numpy as np
import pytest
from rosbags.rosbag2 import Reader as RosbagReader
from rosbags.typesys import get_types_from_msg, get_typestore, Stores

from benchmarks.explorer_ledger import make
from collab_robots.explorer.book.open import open_reader, silent
from collab_robots.explorer.book.reader import Reader
from collab_robots.explorer.export.bag import MOMENTS
from collab_robots.explorer.export.forms import Format, What
from collab_robots.explorer.export.messages import DEBUG, WARN
from collab_robots.explorer.export.tables import Span
from collab_robots.explorer.export.write import export, whole_file

BLOCKS = 2_500
pytestmark = pytest.mark.timeout(600)  # a loaded machine
LIAR = 'robot_03'
GRID, MARKERS = 'nav_msgs/msg/OccupancyGrid', 'visualization_msgs/msg/MarkerArray'
TOPICS = {
    '/ledger/blocks': 'std_msgs/msg/String',
    '/ledger/log': 'rcl_interfaces/msg/Log',
    '/map': GRID,
    '/tasks': MARKERS,
    '/diagnostics': 'diagnostic_msgs/msg/DiagnosticArray',
    **{f'/robot_{number:02}/map': GRID for number in range(4)},
}


class Bag(NamedTuple):
    """A bag, and the ledger that it was made of; ``said`` are log times and messages by topic."""

    reader: Reader
    path: Path
    schemas: dict[str, Schema]
    said: dict[str, list[tuple[int, Any]]]


def read(reader: Reader, path: Path, span: Span) -> Bag:
    with whole_file(path) as file:
        export(reader, Format.MCAP, What.BLOCKS, span, file, silent)
    schemas, said = dict[str, Schema](), defaultdict[str, list[tuple[int, Any]]](list)
    with path.open('rb') as stream:
        bag = make_reader(stream, validate_crcs=True, decoder_factories=[DecoderFactory()])
        assert bag.get_header().profile == 'ros2'
        for schema, channel, message, decoded in bag.iter_decoded_messages(log_time_order=False):
            assert channel.message_encoding == 'cdr' and schema is not None
            schemas[channel.topic] = schema
            said[channel.topic].append((message.log_time, decoded))
    return Bag(reader, path, schemas, said)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield tmp_path_factory.mktemp('bags')


@pytest.fixture(scope='module')
def bag(folder: Path) -> Iterator[Bag]:
    """Return the bag of a ledger with sketches, a split and a liar."""
    with open_reader(make(folder, BLOCKS, told=lambda count: None)) as reader:
        yield read(reader, folder / 'hall.mcap', Span())


@pytest.fixture(scope='module')
def seen(folder: Path) -> Iterator[Bag]:
    """Return the bag of the end of a ledger with sightings."""
    db = fabricate(folder / 'run', robots=2).folder('robot1') / 'ledger.db'
    with open_reader(db) as reader:
        yield read(reader, folder / 'seen.mcap', Span(since=25.0))


def test_types_are_those_of_ros_with_their_definitions(bag: Bag) -> None:
    assert {topic: schema.name for topic, schema in bag.schemas.items()} == TOPICS
    jazzy = get_typestore(Stores.ROS2_JAZZY)
    for schema in bag.schemas.values():
        assert schema.encoding == 'ros2msg'
        for name, fields in get_types_from_msg(schema.data.decode(), schema.name).items():
            assert fields == jazzy.fielddefs[name]


def test_another_reader_reads_all_of_it(bag: Bag) -> None:
    jazzy = get_typestore(Stores.ROS2_JAZZY)
    with RosbagReader(bag.path) as opened:
        counts = Counter(
            connection.topic
            for connection, _, raw in opened.messages()
            if jazzy.deserialize_cdr(raw, connection.msgtype)
        )
    assert counts == {topic: len(said) for topic, said in bag.said.items()}


def test_messages_have_the_times_of_the_ledger(bag: Bag) -> None:
    about = bag.reader.overview()
    for topic, said in bag.said.items():
        times = [time for time, _ in said]
        assert topic.startswith('/ledger/') or times == sorted(times)
        assert about.first - 1e-6 <= times[0] / 1e9 and times[-1] / 1e9 <= about.last + 1e-6
        for time, message in said:
            if topic.startswith('/ledger/'):
                stamp = getattr(message, 'stamp', None)
            elif hasattr(message, 'markers'):
                stamp = message.markers[0].header.stamp
            else:
                stamp = message.header.stamp
            assert stamp is None or stamp.sec * 10**9 + stamp.nanosec == time


def test_every_block_and_every_call_is_there(bag: Bag) -> None:
    about = bag.reader.overview()
    blocks = [json.loads(message.data) for _, message in bag.said['/ledger/blocks']]
    assert len({block['id'] for block in blocks}) == len(blocks) == about.blocks
    assert blocks[-1] == bag.reader.blocks(limit=1).items[0].model_dump(mode='json')
    lines = [message for _, message in bag.said['/ledger/log']]
    calls = Counter(line.function for line in lines if line.level > DEBUG)
    assert calls - Counter(split=2) == about.calls
    ids = {block['id'] for block in blocks}
    assert {line.file for line in lines if line.function not in ('split', '')} <= ids
    silent_blocks = [block for block in blocks if not block['calls']]
    assert len(silent_blocks) == sum(line.level == DEBUG for line in lines)


def test_the_log_warns_of_what_matters(bag: Bag) -> None:
    warnings = [line for _, line in bag.said['/ledger/log'] if line.level == WARN]
    assert any(f'{LIAR} is convicted' in line.msg for line in warnings)
    (split,) = bag.reader.splits()
    assert [line.msg for line in warnings if line.function == 'split'] == [
        f'a split begins: {split.words}',
        f'a split ends: {split.words}',
    ]
    without = sum(': no effect, ' in line.msg for line in warnings)
    assert without == sum(bag.reader.overview().reverted.values()) > 0


def cells(grid: Any) -> np.ndarray:
    """Return what a grid holds, (height, width), and check that it says how large it is."""
    assert grid.header.frame_id == 'map' and grid.info.resolution == pytest.approx(0.2)
    assert grid.info.origin.orientation.w == 1.0
    return np.array(grid.data).reshape(grid.info.height, grid.info.width)


def test_the_map_is_the_merged_one(bag: Bag) -> None:
    known = bag.reader.map()
    grid = bag.said['/map'][-1][1]
    values = cells(grid)
    corner = grid.info.origin.position
    drawn = 0
    for region in known.regions:
        column = round((region.region[0] * known.region_size - corner.x) / 0.2)
        row = round((region.region[1] * known.region_size - corner.y) / 0.2)
        for y, line in enumerate(region.merged.rows):
            for x, char in enumerate(line):
                assert values[row + y, column + x] == {'.': 0, '#': 100, ' ': -1}[char]
                drawn += char != ' '
    assert drawn == np.count_nonzero(values >= 0) > 0


def test_a_lie_is_on_the_map_of_the_liar_only(bag: Bag) -> None:
    known = bag.reader.map()
    lies = [made for region in known.regions for made in region.contributions if not made.counts]
    assert {made.robot for made in lies} == {LIAR}
    walls = [np.count_nonzero(cells(said[-1][1]) == 100) for said in (
        bag.said[f'/{LIAR}/map'], bag.said['/map'])]  # fmt: skip
    assert walls[0] > 0 and len(bag.said[f'/{LIAR}/map']) == len(lies)
    truth = bag.reader.map().regions
    assert walls[1] == sum(row.count('#') for region in truth for row in region.merged.rows)


def test_tasks_have_the_colour_of_who_holds_them(bag: Bag) -> None:
    assert len(bag.said['/tasks']) == len(bag.said['/diagnostics']) == MOMENTS
    markers = bag.said['/tasks'][-1][1].markers
    tasks = bag.reader.tasks(limit=500).items
    assert markers[0].action == 3, 'what was there before goes away'
    cubes = markers[1]
    places = {(point.x, point.y) for point in cubes.points}
    assert places == {task.place for task in tasks}
    assert len(cubes.points) == len(cubes.colors) == len(tasks)
    names = {marker.text for marker in markers[2:]}
    held = {f'{task.holder}: {task.words}' for task in tasks if task.state == 'held'}
    assert names == held != set()


def test_diagnostics_tell_who_is_not_trusted(bag: Bag) -> None:
    first, last = (bag.said['/diagnostics'][at][1].status for at in (0, -1))
    assert {status.name: status.level for status in last} == {
        robot.name: 2 if robot.name == LIAR else 0 for robot in bag.reader.robots()
    }
    assert all(status.level == 0 for status in first)
    values = {pair.key: pair.value for pair in last[0].values}
    assert values['blocks'] == str(bag.reader.robots()[0].blocks)


def test_sightings_are_balls_with_names(seen: Bag) -> None:
    known = sorted(seen.reader.map().sightings, key=lambda one: one.time)
    said = seen.said['/sightings']
    assert [time / 1e9 for time, _ in said] == [one.time for one in known] != []
    for one, (_, message) in zip(known, said, strict=True):
        ball, name = message.markers
        assert (ball.pose.position.x, ball.pose.position.y) == one.place
        assert one.label in name.text and one.robot in name.text
    assert len({message.markers[0].id for _, message in said}) == len(said)


def test_only_a_time_of_it(seen: Bag) -> None:
    assert '/map' not in seen.said, 'nobody sketched'
    about = seen.reader.overview()
    assert len(seen.said['/ledger/blocks']) < about.blocks
    assert min(said[0][0] for said in seen.said.values()) >= 25e9
