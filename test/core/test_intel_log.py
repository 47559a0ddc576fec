"""Logs in CARMEN's format; and the Intel Research Lab, mapped whole and by four robots."""

import math

import numpy as np
from PIL import Image
import pytest

from collab_robots.core.errors import ConfigError
from collab_robots.core.geometry import compose, inverse, OCCUPIED, pose
from collab_robots.mapping.carmen import parse_log, read_log
from collab_robots.mapping.replay import draw, read_relations, relation_error, replay, run, summary


def flaser(at, odom, stamp, ranges=(1.5,) * 180):
    words = ['FLASER', len(ranges), *ranges, *at, *odom, stamp, 'host', stamp]
    return ' '.join(map(str, words))


def odom(at, stamp):
    return ' '.join(map(str, ['ODOM', *at, 0, 0, 0, stamp, 'host', stamp]))


def test_a_raw_logs_odometry_is_what_it_says():
    log = parse_log(['PARAM x 1', flaser((1, 2, 0.5), (4, 5, 0.6), 10.5)])
    (reading,) = log.readings
    np.testing.assert_allclose(reading.corrected, [1, 2, 0.5])
    np.testing.assert_allclose(reading.odometry, [4, 5, 0.6])
    assert reading.stamp_s == 10.5
    assert reading.scan.angle_min == -math.pi / 2
    assert reading.scan.angle_increment == pytest.approx(math.pi / 180)
    assert log.malformed == 0


def test_a_corrected_logs_odometry_is_chained_from_between_the_corrections():
    log = parse_log(
        [
            odom((0, 0, 0), 1.0),
            odom((1, 0, 0), 2.0),
            flaser((0.9, 0.1, 0.2), (0.9, 0.1, 0.2), 2.0),
            odom((0.9, 0.1, 0.2), 0),  # starts again from the corrected pose
            odom((0.9 + math.cos(0.2), 0.1 + math.sin(0.2), 0.2), 3.0),
            flaser((1.8, 0.3, 0.1), (1.8, 0.3, 0.1), 3.0),
        ]
    )
    raw = [reading.odometry for reading in log.readings]
    np.testing.assert_allclose(raw, [[1, 0, 0], [2, 0, 0]], atol=1e-12)


def test_no_return_is_no_hit_and_stamps_only_grow():
    ranges = [81.83] * 90 + [2.0] * 90
    log = parse_log([flaser((0, 0, 0), (0, 0, 0), stamp, ranges) for stamp in (5.0, 4.9)])
    first, second = (reading.scan for reading in log.readings)
    assert len(first.points()) == 90
    assert not first.is_clear.any()
    assert second.stamp_ns > first.stamp_ns


@pytest.mark.parametrize(
    'line',
    [
        'FLASER',
        'FLASER x 1 2 3',
        'FLASER 180 1.0 2.0',
        'FLASER 99999999 1.0',
        'FLASER -1 0 0 0 0 0 0 1 host 1',
        flaser((math.nan, 0, 0), (0, 0, 0), 1.0),
        flaser((0, 0, 0), (0, 0, math.inf), 1.0),
        flaser((0, 0, 0), (0, 0, 0), 'soon'),
        flaser((0, 0, 0), (0, 0, 0), 1.0, [math.nan] * 180),
        flaser((0, 0, 0), (0, 0, 0), 1.0, ['wall'] * 180),
        'ODOM 1 2',
        'ODOM 1 2 x 0 0 0 1 host 1',
        'FLASER ' + '1 ' * 40_000,
    ],
)
def test_a_malformed_line_is_counted_with_its_number(line):
    log = parse_log([flaser((0, 0, 0), (0, 0, 0), 1.0), line, flaser((0, 0, 0), (0, 0, 0), 2.0)])
    assert len(log.readings) == 2
    assert log.malformed == 1
    assert log.errors[0].startswith('line 2: ')


def test_what_is_no_log_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='cannot be read'):
        read_log(tmp_path / 'nothing.log')
    empty = tmp_path / 'empty.log'
    empty.write_text('FLASER 3 oops\n')
    with pytest.raises(ConfigError, match='first refused: line 1'):
        read_log(empty)
    short = parse_log([flaser((0, 0, 0), (0, 0, 0), stamp) for stamp in range(1, 13)])
    for pieces in (0, 2, 100):
        with pytest.raises(ConfigError, match='pieces: expected 1 to 1 for 12 scans'):
            replay(short, pieces)
    wrong = tmp_path / 'relations'
    for text in ('1 2 3\n', 'a b c d e f g h\n', 'nan 1 1 1 1 1 1 1\n'):
        wrong.write_text(text)
        with pytest.raises(ConfigError):
            read_relations(wrong)


def test_relation_errors_are_measured_across_epochs():
    poses = np.array([pose(0, 0, 0), pose(1, 0, 0.5), pose(2, 1, 1.0), pose(3, 1, 1.0)])
    stamps = np.array([10.0, 11.3, 12.1, 14.7])
    rows = []
    for a, b in [(0, 1), (1, 2), (3, 0)]:
        between = compose(inverse(poses[a]), poses[b])
        rows.append([stamps[a] + 976e6, stamps[b] + 976e6, *between])
    error = relation_error(np.array(rows), stamps, poses)
    assert error.used == 3
    assert error.shift_mean == pytest.approx(0.0, abs=1e-9)
    bent = poses + np.array([0, 0, 0.1])
    assert relation_error(np.array(rows), stamps, bent).shift_mean > 0.05
    assert relation_error(np.array([[976e6, 976e6 + 1, 0, 0, 0]]), stamps[:1], poses[:1]) is None


@pytest.fixture(scope='module')
def intel(shared_data):
    folder = shared_data / 'intel_lab'
    if not (folder / 'intel.gfs.log').is_file():
        pytest.skip(f'no Intel Research Lab log at {folder}')
    return folder


@pytest.mark.timeout(400)
def test_the_intel_lab_whole(intel, tmp_path):
    told = []
    found = run(
        intel / 'intel.gfs.log',
        1,
        tmp_path / 'map.png',
        intel / 'intel.relations',
        lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (910, 910)
    assert found.scans == 910
    assert found.malformed == 0
    assert found.matched > 0.97 * found.scans
    assert found.shift_mean < 0.7  # odometry ends 37 m off
    assert found.turn_mean < math.radians(3)
    assert found.relations.used > 100
    assert found.relations.shift_mean < 0.08
    assert found.relations.shift_mean < 1.2 * found.log_relations.shift_mean
    with Image.open(tmp_path / 'map.png') as picture:
        assert min(picture.size) > 500
        assert len(picture.convert('L').getcolors()) > 3


@pytest.mark.timeout(400)
def test_the_intel_lab_by_four_robots(intel, tmp_path):
    log = read_log(intel / 'intel.gfs.log')
    parts, grid = replay(log, 4)
    found = summary(log, parts, read_relations(intel / 'intel.relations'))
    assert [len(part.readings) for part in parts] == [227, 228, 227, 228]
    assert found.shift_mean < 0.6
    assert found.shift_max < 2.0
    assert found.matched > 0.97 * found.scans
    rows, columns = np.argwhere(grid.data == OCCUPIED).T
    height, width = np.percentile(rows, (1, 99)), np.percentile(columns, (1, 99))
    assert 26 < np.diff(height)[0] * grid.resolution < 32  # the building is about 29 × 29 m
    assert 26 < np.diff(width)[0] * grid.resolution < 32
    draw(grid, parts, tmp_path / 'map.png')
    assert (tmp_path / 'map.png').stat().st_size > 20_000
