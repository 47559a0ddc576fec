"""Pictures in files: which are found, which are listed, and what becomes of damaged ones."""

from pathlib import Path

import numpy as np
from PIL import Image
import pytest

from collab_robots.core.errors import ConfigError
from collab_robots.inference.album import find, labelled, read_all


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, grey in (('z/a.png', 10), ('a/c.JPEG', 20), ('a/b.bmp', 30)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new('L', (16, 12), grey).save(tmp_path / name)
    (tmp_path / 'a/notes.txt').write_text('no picture')
    return tmp_path


def test_pictures_are_found_below_in_the_order_of_their_names(folder: Path) -> None:
    assert [path.name for path in find([folder])] == ['a.png', 'b.bmp', 'c.JPEG']
    assert [path.name for path in find([folder / 'z', folder / 'a'])] == [
        'a.png',
        'b.bmp',
        'c.JPEG',
    ]
    (folder / 'empty').mkdir()
    with pytest.raises(ConfigError, match=r'no pictures in .*empty'):
        find([folder / 'empty'])
    with pytest.raises(ConfigError, match='no pictures in no folder'):
        find([])


def test_a_damaged_picture_keeps_nobody_from_the_others(folder: Path) -> None:
    bad = folder / 'a/b.bmp'
    bad.write_bytes(bad.read_bytes()[:40])
    first, second, third, alone = read_all([folder, bad])
    assert first.rgb is not None and third.rgb is not None
    assert first.rgb.shape == (12, 16, 3)
    np.testing.assert_array_equal(first.rgb, 10)
    assert second == alone == (bad, None, second.why)
    assert 'no readable picture' in second.why
    with pytest.raises(ConfigError, match=r'none\.png: cannot be read'):
        list(read_all([folder / 'none.png']))


def test_a_table_lists_files_beside_it(folder: Path) -> None:
    table = folder / 'index.csv'
    table.write_text('class_index,file\n3,z/a.png\n0,a/c.JPEG\n')
    rows = [(folder / 'z/a.png', 3), (folder / 'a/c.JPEG', 0)]
    assert labelled(table) == labelled(folder) == rows


@pytest.mark.parametrize(
    'text', ['file\nz/a.png\n', 'file,class_index\nz/a.png,cat\n', 'file,class_index\nz/a.png\n']
)
def test_what_is_no_table_is_refused(folder: Path, text: str) -> None:
    (folder / 'index.csv').write_text(text)
    with pytest.raises(ConfigError, match='columns file, class_index'):
        labelled(folder)


def test_a_table_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r'index\.csv: cannot be read'):
        labelled(folder)
