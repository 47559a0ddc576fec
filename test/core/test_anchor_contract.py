"""Anchor.sol: what it takes, and every way in which it refuses."""

from itertools import combinations
import random

from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from solidity import Chain, DEPLOYER, RevertedError

from collab_robots.anchor.keys import ORDER
from collab_robots.anchor.statement import Place, sign, signer_of, Signers, Statement

FLEET = b'f' * 32


def address_of(key):
    return key.public_key.to_canonical_address()


KEYS = sorted((PrivateKey(bytes([number]) * 32) for number in range(1, 8)), key=address_of)
ADDRESSES = [address_of(key) for key in KEYS]
CHAIN_ID = 1  # pyrevm's


class Deployed:
    def __init__(self, weights=(1, 1, 1, 1), total=None, height=0):
        self.chain = Chain(at=1_000)
        self.weights = list(weights)
        self.contract = self.chain.deploy(
            'Anchor',
            FLEET,
            height,
            sum(weights) if total is None else total,
            ADDRESSES[: len(weights)],
            self.weights,
        )
        self.place = Place(CHAIN_ID, self.contract.address)

    def anchor(self, statement, signatures, at=None):
        return self.chain.call(
            DEPLOYER,
            self.contract,
            'anchor',
            statement.height,
            statement.order_digest,
            statement.state_root,
            statement.epoch,
            signatures,
            at=at,
        )

    def signed(self, statement, *signers):
        """Return what the signers of these numbers sign, in this order."""
        return b''.join(sign(statement, self.place, KEYS[number]) for number in signers)

    def set_signers(self, signers, *by):
        return self.chain.call(
            DEPLOYER,
            self.contract,
            'setSigners',
            signers.height,
            signers.total,
            *signers.lists(),
            self.signed(signers, *by),
        )

    def view(self, name, *arguments):
        return self.chain.view(self.contract, name, *arguments)


def statement(height, order=b'o' * 32, state=b's' * 32, epoch=3):
    return Statement(FLEET, epoch, height, order, state)


def signers(height, numbers, weight=1, total=None):
    weights = tuple((ADDRESSES[number], weight) for number in numbers)
    return Signers(FLEET, height, weight * len(weights) if total is None else total, weights)


def error_of(action):
    with pytest.raises(RevertedError) as caught:
        action()
    return caught.value.error


def test_two_thirds_anchor_a_height():
    it = Deployed()
    what = statement(7)
    done = it.anchor(what, it.signed(what, 0, 1, 3), at=1_234)
    assert done.ok
    assert done.events == [('Anchored', 7, 3, b'o' * 32, b's' * 32, 3)]
    assert it.view('latest') == (7, 3, 1_234, b'o' * 32, b's' * 32)
    assert it.view('count') == 1 and it.view('entry', 0) == it.view('latest')


def test_nothing_is_anchored_at_first():
    it = Deployed()
    assert it.view('latest') == (0, 0, 0, bytes(32), bytes(32)) == it.view('anchorAt', 9)
    assert it.view('count') == it.view('countUpTo', 9) == 0
    assert error_of(lambda: it.view('entry', 0)) == ('NoSuchAnchor', 0, 0)
    assert it.view('fleet') == FLEET and it.view('totalWeight') == 4
    assert it.view('signersNow') == (ADDRESSES[:4], [1, 1, 1, 1])
    assert it.view('SIGNATURE_BYTES') == 65 and it.view('MAX_SIGNERS') == 64


@pytest.mark.parametrize('height', [0, 6, 7])
def test_heights_only_go_up(height):
    it = Deployed()
    first = statement(7)
    assert it.anchor(first, it.signed(first, 0, 1, 2)).ok
    what = statement(height)
    assert it.anchor(what, it.signed(what, 0, 1, 2)).error == ('HeightNotAbove', height, 7)
    assert it.view('count') == 1


def test_height_zero_is_no_anchor():
    it = Deployed()
    what = statement(0)
    assert it.anchor(what, it.signed(what, 0, 1, 2)).error == ('HeightNotAbove', 0, 0)


@pytest.mark.parametrize('weights', [(1, 1, 1), (1, 1, 1, 1), (3, 1, 1, 2), (1_000_000, 1, 1)])
def test_exactly_the_sets_of_two_thirds_are_enough(weights):
    for count in range(len(weights) + 1):
        for chosen in combinations(range(len(weights)), count):
            it = Deployed(weights)
            what, weight = statement(1), sum(weights[number] for number in chosen)
            done = it.anchor(what, it.signed(what, *chosen))
            if 3 * weight >= 2 * sum(weights):
                assert done.ok
            else:
                assert done.error == ('NoQuorum', weight, sum(weights))


def test_robots_that_do_not_sign_count_in_the_whole():
    it = Deployed((1, 1, 1), total=4)
    what = statement(1)
    assert it.anchor(what, it.signed(what, 0, 1)).error == ('NoQuorum', 2, 4)
    assert it.anchor(what, it.signed(what, 0, 1, 2)).ok


def test_nobody_signs_twice_and_order_is_strict():
    it = Deployed()
    what = statement(1)
    twice = ('SignaturesNotAscending', ADDRESSES[1], ADDRESSES[1])
    assert it.anchor(what, it.signed(what, 0, 1, 1)).error == twice
    unsorted = ('SignaturesNotAscending', ADDRESSES[2], ADDRESSES[0])
    assert it.anchor(what, it.signed(what, 2, 0, 1)).error == unsorted


def test_a_stranger_does_not_count():
    it = Deployed()
    what = statement(1)
    assert it.anchor(what, it.signed(what, 0, 1, 5)).error == ('NotASigner', ADDRESSES[5])


def test_only_the_lower_s_is_taken():
    it = Deployed()
    what = statement(1)
    good = it.signed(what, 0, 1, 2)
    r, s, v = good[130:162], int.from_bytes(good[162:194], 'big'), good[194]
    other = r + (ORDER - s).to_bytes(32, 'big') + bytes([55 - v])  # valid too, for anybody else
    assert it.anchor(what, good[:130] + other).error == ('BadSignature', 2)
    assert it.anchor(what, good).ok


@pytest.mark.parametrize(
    'broken',
    [
        lambda one: one[:64] + b'\0',  # v as some libraries write it
        lambda one: one[:64] + b'\x1d',
        lambda one: bytes(32) + one[32:],  # r is 0
        lambda one: one[:32] + bytes(32) + one[64:],  # s is 0
        lambda one: ORDER.to_bytes(32, 'big') + one[32:],
        lambda one: bytes(65),
    ],
)
def test_a_malformed_signature_is_named(broken):
    it = Deployed()
    what = statement(1)
    good = it.signed(what, 0, 1, 2)
    done = it.anchor(what, good[:65] + broken(good[65:130]) + good[130:])
    assert done.error == ('BadSignature', 1)


@pytest.mark.parametrize('length', [1, 64, 66, 194])
def test_signatures_are_whole(length):
    it = Deployed()
    what = statement(1)
    done = it.anchor(what, it.signed(what, 0, 1, 2)[:length].ljust(length, b'x'))
    assert done.error == ('BadSignatureLength', length)


@pytest.mark.parametrize(
    'other',
    [
        statement(2),
        statement(1, order=b'x' * 32),
        statement(1, state=b'x' * 32),
        statement(1, epoch=4),
        Statement(b'g' * 32, 3, 1, b'o' * 32, b's' * 32),
        signers(1, range(4)),
    ],
)
def test_a_signature_of_something_else_is_nobodys(other):
    it = Deployed((1,))
    done = it.anchor(statement(1), it.signed(other, 0))
    assert done.error[0] == 'NotASigner' and done.error[1] not in ADDRESSES


@pytest.mark.parametrize('field', ['chain_id', 'contract'])
def test_a_signature_for_another_place_is_nobodys(field):
    it = Deployed((1,))
    other = {'chain_id': 2, 'contract': ADDRESSES[0]}
    place = Place(**{**vars(it.place), field: other[field]})
    done = it.anchor(statement(1), sign(statement(1), place, KEYS[0]))
    assert done.error[0] == 'NotASigner'


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 2**64 - 1),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
)
def test_python_and_solidity_sign_the_same_bytes(epoch, height, order, state):
    it = Deployed((1,))
    what = Statement(FLEET, epoch, height, order, state)
    signature = it.signed(what, 0)
    assert signer_of(what, it.place, signature) == ADDRESSES[0]
    assert it.anchor(what, signature).ok


def test_anchors_are_found_by_height():
    it = Deployed((1,))
    heights = sorted(random.Random(1).sample(range(1, 200), 30))
    for height in heights:
        what = statement(height, order=height.to_bytes(32, 'big'))
        assert it.anchor(what, it.signed(what, 0)).ok
    for height in range(201):
        below = [one for one in heights if one <= height]
        assert it.view('countUpTo', height) == len(below)
        assert it.view('anchorAt', height).height == (below[-1] if below else 0)
    assert it.view('entry', 29).height == heights[-1]
    assert error_of(lambda: it.view('entry', 30)) == ('NoSuchAnchor', 30, 30)


def test_signers_change_by_two_thirds_of_the_present_ones():
    it = Deployed()
    new = signers(20, [2, 4, 5], weight=2, total=7)
    assert it.set_signers(new, 0, 1).error == ('NoQuorum', 2, 4)
    done = it.set_signers(new, 0, 1, 3)
    chosen = [ADDRESSES[number] for number in (2, 4, 5)]
    assert done.events == [('SignersChanged', 20, 7, chosen, [2, 2, 2])]
    assert it.view('signersNow') == (chosen, [2, 2, 2])
    assert it.view('signersHeight') == 20 and it.view('totalWeight') == 7
    what = statement(21)
    assert it.anchor(what, it.signed(what, 0, 2, 4)).error == ('NotASigner', ADDRESSES[0])
    assert it.anchor(what, it.signed(what, 2, 4)).error == ('NoQuorum', 4, 7)
    assert it.anchor(what, it.signed(what, 2, 4, 5)).ok


def test_a_change_of_signers_cannot_be_repeated():
    it = Deployed()
    there, back = signers(20, [4, 5, 6]), signers(21, [0, 1, 2, 3])
    assert it.set_signers(there, 0, 1, 2).ok and it.set_signers(back, 4, 5, 6).ok
    assert it.set_signers(there, 0, 1, 2).error == ('HeightNotAbove', 20, 21)
    again = signers(21, [4, 5, 6])
    assert it.set_signers(again, 0, 1, 2).error == ('HeightNotAbove', 21, 21)


def test_a_signer_who_comes_back_has_its_new_weight():
    it = Deployed((5, 1, 1))
    assert it.set_signers(signers(1, [1, 2]), 0).ok
    assert it.set_signers(signers(2, [0, 1, 2]), 1, 2).ok
    assert it.view('signersNow') == (ADDRESSES[:3], [1, 1, 1])


def _lists(addresses, weights, total=None, height=0):
    return FLEET, height, sum(weights) if total is None else total, addresses, weights


@pytest.mark.parametrize(
    ('arguments', 'error'),
    [
        (_lists([], []), ('BadSigners', 0, 0)),
        (_lists(ADDRESSES[:2], [1]), ('BadSigners', 2, 1)),
        (_lists([bytes(19) + bytes([n]) for n in range(1, 66)], [1] * 65), ('BadSigners', 65, 65)),
        (_lists([bytes(20)], [1]), ('SignersNotAscending', bytes(20), bytes(20))),
        (
            _lists([ADDRESSES[0], ADDRESSES[0]], [1, 1]),
            ('SignersNotAscending', ADDRESSES[0], ADDRESSES[0]),
        ),
        (
            _lists([ADDRESSES[1], ADDRESSES[0]], [1, 1]),
            ('SignersNotAscending', ADDRESSES[1], ADDRESSES[0]),
        ),
        (_lists(ADDRESSES[:2], [1, 0]), ('NoWeight', ADDRESSES[1])),
        (_lists(ADDRESSES[:2], [1, 1], total=1), ('TooHeavy', 2, 1)),
        (_lists(ADDRESSES[:2], [1, 1], total=4), ('NoQuorum', 2, 4)),
    ],
)
def test_lists_of_signers_that_are_refused(arguments, error):
    assert error_of(lambda: Chain().deploy('Anchor', *arguments)) == error


def test_a_bad_list_is_refused_also_when_it_is_signed():
    it = Deployed()
    assert it.set_signers(signers(1, [0], total=2), 0, 1, 2).error == ('NoQuorum', 1, 2)
    assert it.view('signersNow') == (ADDRESSES[:4], [1, 1, 1, 1])


def test_a_fleet_of_64_fits():
    chain = Chain()
    keys = sorted(
        (PrivateKey(number.to_bytes(32, 'big')) for number in range(1, 65)), key=address_of
    )
    addresses = [address_of(key) for key in keys]
    heaviest = 2**32 - 1
    contract = chain.deploy('Anchor', FLEET, 0, 64 * heaviest, addresses, [heaviest] * 64)
    what, place = statement(1), Place(CHAIN_ID, contract.address)
    signatures = b''.join(sign(what, place, key) for key in keys)
    done = chain.call(DEPLOYER, contract, 'anchor', 1, b'o' * 32, b's' * 32, 3, signatures)
    assert done.ok and done.events[0][-1] == 64 * heaviest
    assert done.gas < 1_000_000
