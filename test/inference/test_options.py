"""Options say one thing in one way."""

from hypothesis import given, strategies
import pytest

from collab_robots.core.errors import RefusedError
from collab_robots.inference.options import BITS, Kind, LOCAL, NO_EXIT, Option

CUTS = strategies.integers(1, 255)
EXITS = strategies.one_of(strategies.just(NO_EXIT), CUTS)
OPTIONS = strategies.one_of(
    strategies.builds(lambda exit_: Option(Kind.LOCAL, exit=exit_), EXITS),
    strategies.builds(
        lambda cut, bits, bottleneck, asks: Option(
            Kind.SPLIT, cut, bits, bottleneck, exit=cut if asks else NO_EXIT
        ),
        CUTS,
        strategies.sampled_from(BITS),
        strategies.booleans(),
        strategies.booleans(),
    ),
    strategies.builds(
        lambda quality: Option(Kind.JPEG, quality=quality), strategies.integers(1, 100)
    ),
    strategies.just(Option(Kind.RAW)),
)


@given(OPTIONS)
def test_a_name_says_all_of_an_option(option):
    assert Option.parse(str(option)) == option


@given(strategies.lists(OPTIONS, max_size=6))
def test_options_have_an_order(options):
    backwards = sorted(options, reverse=True)
    assert sorted(backwards) == backwards[::-1]


@pytest.mark.parametrize(
    'fields',
    [
        {'kind': Kind.SPLIT},
        {'kind': Kind.SPLIT, 'cut': 3},
        {'kind': Kind.SPLIT, 'cut': 0, 'bits': 8},
        {'kind': Kind.SPLIT, 'cut': 256, 'bits': 8},
        {'kind': Kind.SPLIT, 'cut': 3, 'bits': 5},
        {'kind': Kind.SPLIT, 'cut': 3, 'bits': 8, 'exit': 4},
        {'kind': Kind.SPLIT, 'cut': 3, 'bits': 8, 'quality': 75},
        {'kind': Kind.SPLIT, 'cut': 3.0, 'bits': 8},
        {'kind': Kind.LOCAL, 'cut': 3},
        {'kind': Kind.LOCAL, 'exit': 0},
        {'kind': Kind.LOCAL, 'bottleneck': True},
        {'kind': Kind.JPEG},
        {'kind': Kind.JPEG, 'quality': 101},
        {'kind': Kind.JPEG, 'quality': True},
        {'kind': Kind.JPEG, 'quality': 75, 'exit': 3},
        {'kind': Kind.RAW, 'quality': 75},
        {'kind': 'local'},
    ],
)
def test_parts_that_do_not_fit_are_refused(fields):
    with pytest.raises(RefusedError):
        Option(**fields)


@pytest.mark.parametrize(
    'text',
    ['', 'local ', 'split', 'split@03/8b', 'split@3/5b', 'jpeg', 'jpeg75+exit3', 'raw+bottleneck'],
)
def test_other_names_are_refused(text):
    with pytest.raises(RefusedError):
        Option.parse(text)


def test_only_the_local_option_needs_nobody():
    assert not LOCAL.remote
    assert Option(Kind.RAW).remote
