"""Sheets say what options do, are measured by doing it, and are refused if they are none."""

import json
import time

import numpy as np
import pytest
from runtime_team import last, picture, tiny_model, whole

from collab_robots.core.errors import ConfigError
from collab_robots.inference.options import Kind, LOCAL, NO_EXIT, Option
from collab_robots.inference.planner import HelperState, Objective, Planner
from collab_robots.inference.profile.link import LinkEstimate
from collab_robots.inference.profile.measure import measure_sheet, measure_times
from collab_robots.inference.profile.sheet import MAX_SHEET_BYTES, Row, Sheet
from collab_robots.inference.profile.times import stage

PICTURES = [picture(seed) for seed in range(12)]
ANSWERS = [int(whole(rgb).argmax()) for rgb in PICTURES]


class MonotonicClock:
    now_ns = staticmethod(time.perf_counter_ns)


class EvenExit:
    """Answers with the whole model, and is sure where its answer is an even class."""

    threshold = 0.5

    def answer(self, tensor):
        logits = tiny_model().stage(2, last()).run(tensor)
        return logits, float(logits.argmax() % 2 == 0)


@pytest.fixture(scope='module')
def sheet():
    labels = [answer if index else (answer + 1) % 10 for index, answer in enumerate(ANSWERS)]
    return measure_sheet(tiny_model(), {2: EvenExit()}, {}, PICTURES, labels)


def test_the_whole_model_is_right_where_the_labels_say_so(sheet):
    assert sheet.rows[LOCAL] == Row(accuracy=round(11 / 12, 5), agreement=1.0)
    assert (sheet.pictures, sheet.labelled, sheet.last) == (12, True, last())
    assert sheet.loss(LOCAL) == 0.0


def test_what_is_sent_is_counted(sheet):
    raw = sheet.rows[Option(Kind.RAW)]
    assert raw.bytes_mean == raw.bytes_high == 8 * 8 * 3
    assert raw.agreement == 1.0
    sizes = [sheet.rows[Option(Kind.SPLIT, 2, bits)].bytes_mean for bits in (2, 4, 8)]
    assert sizes == sorted(sizes)
    assert sheet.rows[Option(Kind.SPLIT, 2, 8)].agreement >= 11 / 12
    coarse = sheet.rows[Option(Kind.JPEG, quality=30)].bytes_mean
    assert coarse < sheet.rows[Option(Kind.JPEG, quality=90)].bytes_mean


def test_an_exit_answers_its_share_and_sends_nothing_then(sheet):
    even = [answer % 2 == 0 for answer in ANSWERS]
    assert 0 < sum(even) < len(even)
    for option in (Option(Kind.LOCAL, exit=2), Option(Kind.SPLIT, 3, 8, exit=2)):
        assert sheet.rows[option].exit_share == pytest.approx(np.mean(even), abs=1e-5)
        assert sheet.rows[option].agreement >= 11 / 12
    assert sheet.rows[Option(Kind.LOCAL, exit=2)].bytes_mean == 0.0
    # An exit behind what is sent is asked by nobody.
    assert not any(option.kind is Kind.JPEG and option.exit != NO_EXIT for option in sheet.rows)
    assert Option(Kind.SPLIT, 1, 8, exit=NO_EXIT) in sheet.rows


def test_without_labels_the_whole_model_is_right():
    sheet = measure_sheet(tiny_model(), {}, {}, PICTURES[:3])
    assert sheet.rows[LOCAL].accuracy == 1.0
    assert not sheet.labelled
    assert all(row.accuracy == row.agreement for row in sheet.rows.values())


@pytest.mark.parametrize(('pictures', 'labels'), [([], []), ([], None), (PICTURES, [1])])
def test_labels_belong_to_pictures(pictures, labels):
    with pytest.raises(ConfigError):
        measure_sheet(tiny_model(), {}, {}, pictures, labels)


def test_times_of_every_option_are_measured(sheet):
    times = measure_times(
        tiny_model(), {2: EvenExit()}, {}, sheet.rows, PICTURES[0], MonotonicClock, repeats=1
    )
    assert times.last == last()
    assert all(seconds > 0.0 for _, seconds in times.items())
    assert stage(1, last()) in times
    helper = HelperState('helper', LinkEstimate(1e6), 0.0, times.like(1e-3))
    for option in sheet.rows:
        name = 'helper' if option.remote else ''
        plan = Planner().price(option, name, times, sheet, [helper], Objective(max_loss=1.0))
        assert 0.0 < plan.chosen.total_s < 60.0


def test_a_sheet_is_read_as_it_was_written(sheet, tmp_path):
    path = tmp_path / 'sheet.json'
    path.write_text(sheet.dump())
    assert Sheet.load(path, sheet.model) == sheet
    assert Sheet.load(path, sheet.model).dump() == sheet.dump()


def edited(sheet, **changes):
    return json.dumps({**json.loads(sheet.dump()), **changes})


ROWS = {'local': {'accuracy': 0.5, 'agreement': 1.0}}
SENT = {'bytes_mean': 10.0, 'bytes_high': 20.0, 'accuracy': 0.5, 'agreement': 1.0}


@pytest.mark.parametrize(
    'changes',
    [
        {'version': 2},
        {'model': 'ff' * 32},
        {'model': 'xx'},
        {'last': 1},
        {'pictures': 0},
        {'rows': {}},
        {'rows': {'raw': SENT}},
        {'rows': {**ROWS, 'split@9/5b': SENT}},
        {'rows': {**ROWS, 'split@5/8b': SENT}},
        {'rows': {**ROWS, 'local+exit5': ROWS['local']}},
        {'rows': {**ROWS, 'raw': {**SENT, 'bytes_mean': -1.0}}},
        {'rows': {**ROWS, 'raw': {**SENT, 'bytes_mean': float('nan')}}},
        {'rows': {**ROWS, 'raw': {**SENT, 'bytes_mean': 1e12, 'bytes_high': 1e12}}},
        {'rows': {**ROWS, 'raw': {**SENT, 'bytes_high': 5.0}}},
        {'rows': {**ROWS, 'raw': {**SENT, 'accuracy': 1.5}}},
        {'rows': {**ROWS, 'raw': {**SENT, 'bytes_mean': 0.0}}},
        {'rows': {'local': SENT}},
        {'rows': {**ROWS, 'raw': {**SENT, 'more': 1}}},
        {'rows': {**ROWS, **{f'jpeg{n}' + ' ' * n: SENT for n in range(5000)}}},
        {'more': 1},
    ],
)
def test_what_is_no_sheet_is_an_error(sheet, tmp_path, changes):
    path = tmp_path / 'sheet.json'
    path.write_text(edited(sheet, **changes))
    with pytest.raises(ConfigError, match=r'sheet\.json'):
        Sheet.load(path, sheet.model)


@pytest.mark.parametrize(
    'data', [b'', b'[]', b'{', b'\xff', b'[' * 100_000, b' ' * MAX_SHEET_BYTES * 2]
)
def test_other_files_are_no_sheets(tmp_path, data):
    path = tmp_path / 'sheet.json'
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r'sheet\.json'):
        Sheet.load(path, bytes(32))


def test_a_missing_sheet_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r'no\.json: cannot be read'):
        Sheet.load(tmp_path / 'no.json', bytes(32))
