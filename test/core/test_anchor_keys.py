"""Keys for a public chain, and signatures as files."""

import json
from pathlib import Path

from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st
import pytest

from collab_robots.anchor.keys import anchor_key, ORDER, signer
from collab_robots.anchor.payer import load_payer
from collab_robots.anchor.signatures import collect, signature_file
from collab_robots.anchor.statement import Place, sign, signer_of, Signers, Statement
from collab_robots.core.errors import KeyFileError, RefusedError
from collab_robots.core.identity import PrivateKey
from collab_robots.tangle.memory import make_team

FLEET, KEYS = make_team(4)
PLACE = Place(1076, b'c' * 20)
WHAT = Statement(FLEET.id, 1, 120, b'o' * 32, b's' * 32)
PRESENT = Signers(FLEET.id, 0, 4, tuple(sorted((signer(key), 1) for key in KEYS)))


def unasked():
    raise AssertionError('no password is needed')


def private(path: Path, text: str) -> Path:
    path.write_text(text, encoding='utf-8')
    path.chmod(0o600)
    return path


def test_a_robots_key_never_changes():
    # Whoever changes the derivation takes every deployed Anchor.sol its signers.
    key = anchor_key(PrivateKey(bytes(32)))
    assert key.public_key.to_checksum_address() == '0xE59f11d5e8725a2413f188a8bc82bFC5d96cC364'
    assert '0x' + signer(PrivateKey(bytes(32))).hex() == key.public_key.to_address()


@given(st.binary(min_size=32, max_size=32))
def test_every_seed_gives_a_key_of_its_own(seed):
    robot = PrivateKey(seed)
    number = int.from_bytes(anchor_key(robot).to_bytes(), 'big')
    assert 0 < number < ORDER
    assert anchor_key(robot).to_bytes() != seed
    assert robot.derive(b'x') != robot.derive(b'y') and len(robot.derive(b'x')) == 64


def test_a_payer_in_hexadecimal(tmp_path):
    key = Account.create()
    for text in (bytes(key.key).hex() + '\n', '0x' + bytes(key.key).hex().upper()):
        assert load_payer(private(tmp_path / 'k', text), FLEET, unasked).address == key.address


def test_a_payer_in_a_keystore(tmp_path):
    key = Account.create()
    stored = json.dumps(Account.encrypt(key.key, 'secret', kdf='pbkdf2', iterations=2))
    path = private(tmp_path / 'keystore.json', stored)
    assert load_payer(path, FLEET, lambda: 'secret').address == key.address
    with pytest.raises(KeyFileError, match='cannot be decrypted: MAC mismatch'):
        load_payer(path, FLEET, lambda: 'wrong')


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('', 'expected one line of 64 hexadecimal digits, or a keystore'),
        ('xyz', 'expected one line'),
        ('00' * 32, 'not a key of secp256k1'),
        ('ff' * 32, 'not a key of secp256k1'),
        (f'{ORDER:064x}', 'not a key of secp256k1'),
        ('{}', 'cannot be decrypted'),
        ('{"version": 3}', 'cannot be decrypted'),
        ('{' * 5000, 'larger than 4096 bytes'),
        (f'{1:064x}', 'is the key that robot_00 signs records with'),
    ],
)
def test_what_is_no_payers_key_is_refused(text, words, tmp_path):
    with pytest.raises(KeyFileError, match=words):
        load_payer(private(tmp_path / 'k', text), FLEET, lambda: 'secret')


def test_others_must_not_read_a_payers_key(tmp_path):
    path = private(tmp_path / 'k', 'ab' * 32)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match='lets others read the private key; run: chmod 600'):
        load_payer(path, FLEET, unasked)
    with pytest.raises(KeyFileError, match='cannot be read'):
        load_payer(tmp_path / 'none', FLEET, unasked)


def test_a_signature_is_the_same_each_time_and_names_its_signer():
    made = sign(WHAT, PLACE, anchor_key(KEYS[0]))
    assert made == sign(WHAT, PLACE, anchor_key(KEYS[0]))
    assert signer_of(WHAT, PLACE, made) == signer(KEYS[0])
    assert signer_of(WHAT, Place(8822, PLACE.contract), made) != signer(KEYS[0])


@pytest.mark.parametrize('what', [WHAT, PRESENT, Signers(FLEET.id, 0, 4, ())])
def test_what_is_signed_is_what_ethereum_tools_sign(what):
    domain = {'name': 'collab-robots anchor', 'version': '1', 'chainId': 1076}
    domain['verifyingContract'] = PLACE.contract
    typed = encode_typed_data(domain, {what.TYPE: what.FIELDS}, dict(what.message()))
    key = anchor_key(KEYS[0])
    assert sign(what, PLACE, key) == Account.sign_message(typed, key.to_bytes()).signature


@given(st.binary(max_size=70))
def test_bytes_that_are_no_signature_are_refused(data):
    with pytest.raises(RefusedError, match='signature'):
        signer_of(WHAT, PLACE, data + b'\0')


# Files


def write(folder, robot, what=WHAT, place=PLACE, **changes):
    path = folder / f'{len(list(folder.iterdir()))}.json'
    path.write_text(json.dumps(signature_file(what, place, anchor_key(KEYS[robot])) | changes))
    return path


def test_files_are_collected_by_what_they_sign(tmp_path):
    other = Statement(FLEET.id, 1, 121, b'o' * 32, b's' * 32)
    lists = Signers(FLEET.id, 120, 9, ((b'a' * 20, 3), (b'b' * 20, 4)))
    paths = [write(tmp_path, robot) for robot in (2, 0, 0)]
    paths += [write(tmp_path, 1, other), write(tmp_path, 3, lists)]
    found = collect(paths, PLACE, PRESENT)
    assert not found.refused
    assert {what: set(made) for what, made in found.signed.items()} == {
        WHAT: {signer(KEYS[0]), signer(KEYS[2])},
        other: {signer(KEYS[1])},
        lists: {signer(KEYS[3])},
    }
    assert all(
        signer_of(what, PLACE, signature) == robot
        for what, made in found.signed.items()
        for robot, signature in made.items()
    )


def test_each_file_that_does_not_count_is_named_with_a_reason(tmp_path):
    good = write(tmp_path, 0)
    body = json.loads(good.read_text())
    wrong = {
        write(tmp_path, 1, place=Place(1, PLACE.contract)): 'on chain 1, which is another',
        write(tmp_path, 1, place=Place(1076, b'x' * 20)): 'another contract',
        write(tmp_path, 1, Statement(b'x' * 32, 1, 1, b'o' * 32, b's' * 32)): 'for fleet 7878',
        write(tmp_path, 1, anchor=body['anchor'] | {'height': 5}): 'did not sign what is in it',
        write(tmp_path, 1, signer=body['signer']): 'did not sign',
        write(tmp_path, 1, signature='00' * 65): 'expected r, the lower s, and v of 27 or 28',
        write(tmp_path, 1, signature='zz' * 65): 'signature: String should match',
        write(tmp_path, 1, version=2): 'version',
        write(tmp_path, 1, anchor=None): 'either an anchor or signers',
        write(tmp_path, 1, colour='red'): 'colour',
        write(tmp_path, 1, anchor=body['anchor'] | {'height': 2**64}): 'anchor.height',
        tmp_path / 'none.json': 'cannot be read',
    }
    for name, text in (('text', 'hello'), ('open', '{"version": '), ('list', '[1]')):
        (tmp_path / name).write_text(text)
        wrong[tmp_path / name] = 'expected a mapping' if name != 'open' else 'not YAML'
    stranger = signature_file(WHAT, PLACE, anchor_key(PrivateKey(b'z' * 32)))
    (tmp_path / 'stranger').write_text(json.dumps(stranger))
    wrong[tmp_path / 'stranger'] = 'is no signer now'
    found = collect([*wrong, good], PLACE, PRESENT)
    assert list(found.signed) == [WHAT] and list(found.signed[WHAT]) == [signer(KEYS[0])]
    assert list(found.refused) == list(map(str, wrong))
    for path, why in wrong.items():
        assert why in found.refused[str(path)], (path, found.refused[str(path)])
