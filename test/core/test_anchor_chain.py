"""Transactions on a real node, and on nodes that fail in every way."""

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
import threading

from anvil import Anvil, CHAIN_ID, free_port, PAYER, running
from eth_account import Account
import pytest

from collab_robots.anchor.chain import Chain, OFFER_AGAIN, RevertedError
from collab_robots.contract.artifact import load_contract
from collab_robots.core.errors import ChainError, ConfigError, UnreachableError

ANCHOR = load_contract('Anchor')
SIGNER = b'\x11' * 20
CREATION = ANCHOR.constructor.creation(ANCHOR.bytecode, b'f' * 32, 0, 1, [SIGNER], [1])
FOREIGN = {'to': PAYER.address, 'value': 0, 'gas': 21_000, 'chainId': CHAIN_ID}

fixture = pytest.fixture(name='node')(lambda: (yield from running()))
stopped = pytest.fixture(name='idle')(lambda: (yield from running('--no-mining')))


def chain(node, tell=lambda words: None, **options):
    return Chain(node.url, **{'poll': 0.02, 'timeout': 20.0, 'tell': tell, **options})


def create(chain, payer=PAYER):
    return chain.send(payer, ANCHOR, None, CREATION)


def foreign(node, nonce, price=10**10):
    """Send a transaction of the same key, as another program does."""
    signed = PAYER.sign_transaction({**FOREIGN, 'nonce': nonce, 'gasPrice': price})
    return node.rpc('eth_sendRawTransaction', '0x' + signed.raw_transaction.hex())


def count(node):
    """Return how many transactions of the payer are mined."""
    return int(node.rpc('eth_getTransactionCount', PAYER.address, 'latest'), 16)


class Told:
    """Takes what a person who waits is told; does something at the first words of a kind."""

    def __init__(self, **actions):
        self.words = []
        self.actions = actions

    def __call__(self, words):
        self.words.append(words)
        for key in [key for key in self.actions if key in words.replace(' ', '_')]:
            self.actions.pop(key)()


def test_a_contract_is_created_and_answers(node):
    it = chain(node)
    receipt = create(it)
    assert it.id == CHAIN_ID and receipt.block == 1 and len(receipt.hash) == 32
    assert receipt.fee >= receipt.gas > 500_000
    assert it.code(receipt.created) in ANCHOR.bytecode
    assert it.read(receipt.created, ANCHOR.functions['fleet']) == (b'f' * 32,)
    assert it.read(receipt.created, ANCHOR.functions['signersNow']) == ((SIGNER,), (1,))


def test_what_the_contract_refuses_is_free_and_named(node):
    it = chain(node)
    created = create(it).created
    call = ANCHOR.functions['anchor'].encode(1, b'o' * 32, b's' * 32, 0, b'')
    with pytest.raises(
        RevertedError, match=r'the contract refuses it: NoQuorum\(0, 1\)'
    ) as caught:
        it.send(PAYER, ANCHOR, created, call)
    assert caught.value.error == ('NoQuorum', 0, 1)
    with pytest.raises(RevertedError, match='the contract refuses it'):
        it.send(PAYER, ANCHOR, created, b'no call')
    assert count(node) == 1


def test_another_address_does_not_answer(node):
    it = chain(node)
    assert it.code(SIGNER) == b''
    with pytest.raises(ChainError, match=r'does not answer as Anchor\.sol: fleet'):
        it.read(SIGNER, ANCHOR.functions['fleet'])
    created = create(it).created
    with pytest.raises(ChainError, match='entry reverts'):
        it.read(created, ANCHOR.functions['entry'], 0)


def test_the_wrong_chain_is_refused(node):
    with pytest.raises(ConfigError, match=f'is chain {CHAIN_ID}, not 8822'):
        chain(node, chain_id=8822)
    assert chain(node, chain_id=CHAIN_ID).id == CHAIN_ID


@pytest.mark.parametrize('url', ['', 'localhost:8545', 'ftp://host/', 'https://', 'ws://host'])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ConfigError, match='expected an RPC URL'):
        Chain(url)


def test_an_empty_account_is_told_what_it_needs(node):
    poor = Account.create()
    with pytest.raises(
        ChainError, match=rf'{poor.address} has 0 coins .* may need 0\.00\d+ coins'
    ):
        create(chain(node), poor)
    assert int(node.rpc('eth_getTransactionCount', poor.address, 'pending'), 16) == 0


def test_nobody_there_is_said_in_time():
    with pytest.raises(UnreachableError, match='does not answer: no connection; try again later'):
        Chain(f'http://user:secret@127.0.0.1:{free_port()}/key', timeout=0.3, poll=0.02)


def test_secrets_in_a_url_are_not_shown(node):
    it = Chain(f'http://user:secret@127.0.0.1:{node.port}/?key=secret')
    assert it.name == node.url


def test_a_transaction_in_flight_is_waited_for(idle):
    foreign(idle, 0)
    told = Told(nor_are_1_earlier=lambda: idle.rpc('anvil_mine', '0x1'))
    create(chain(idle, told))
    assert count(idle) == 2
    assert any(f'nor are 1 earlier ones of {PAYER.address}' in words for words in told.words)


@pytest.fixture
def forgetful(monkeypatch):
    """Let nodes not count what is in flight; those of IOTA EVM need not."""
    honest = Chain._nonce
    monkeypatch.setattr(Chain, '_nonce', lambda self, payer, at: honest(self, payer, 'latest'))


def test_a_nonce_that_another_transaction_has_is_left_to_it(idle, forgetful):
    theirs = foreign(idle, 0, price=10**12)
    told = Told(came_first=lambda: idle.rpc('anvil_mine', '0x1'), is_sent=lambda: _automine(idle))
    create(chain(idle, told))
    assert count(idle) == 2
    assert idle.rpc('eth_getTransactionReceipt', theirs)['status'] == '0x1'


def _automine(node):
    node.rpc('evm_setAutomine', True)
    node.rpc('anvil_mine', '0x1')


def test_a_nonce_that_was_used_meanwhile_is_given_up(node, monkeypatch):
    foreign(node, 0)
    honest, stale = Chain._nonce, [0]

    def nonce(self, payer, at):
        return stale.pop() if at == 'pending' and stale else honest(self, payer, at)

    monkeypatch.setattr(Chain, '_nonce', nonce)
    told = Told()
    assert create(chain(node, told)).block == 2
    assert not stale and any('came first' in words for words in told.words)


def test_a_transaction_that_the_node_dropped_is_sent_again(idle):
    dropped = []

    def drop():
        dropped.append(idle.rpc('anvil_dropAllTransactions'))
        idle.rpc('evm_setAutomine', True)

    told = Told(is_sent=drop)
    create(chain(idle, told))
    assert dropped and count(idle) == 1
    assert len(told.words) >= OFFER_AGAIN


def test_more_is_offered_when_the_chain_becomes_dearer(idle):
    prices = []

    def dearer():
        prices.append(int(idle.rpc('eth_gasPrice'), 16))
        idle.rpc('anvil_setNextBlockBaseFeePerGas', hex(10 * prices[0]))
        idle.rpc('anvil_mine', '0x1')

    told = Told(is_sent=dearer)
    ready = iter(range(3 * OFFER_AGAIN))

    def tell(words):
        told(words)
        if next(ready) == 2 * OFFER_AGAIN:
            idle.rpc('anvil_mine', '0x1')

    receipt = create(chain(idle, tell))
    assert receipt.fee > 5 * prices[0] * receipt.gas
    assert count(idle) == 1


def test_a_transaction_that_is_never_mined_costs_no_more_than_the_time(idle):
    with pytest.raises(UnreachableError, match=r'transaction 0x.* is sent and not mined yet'):
        create(chain(idle, timeout=2.0))


def test_a_node_that_dies_is_waited_for_in_vain(idle):
    with pytest.raises(UnreachableError, match='no connection'):
        create(chain(idle, Told(is_sent=idle.kill), timeout=4.0))


def test_a_node_that_comes_back_is_given_the_transaction_again(idle):
    others = []

    def replace():
        idle.kill()
        others.append(Anvil(port=idle.port))

    try:
        it = chain(idle, Told(is_sent=replace))
        receipt = create(it)
        assert it.code(receipt.created)
    finally:
        for other in others:
            other.kill()


# Nodes that are none


@contextmanager
def answering(*answers):
    """Serve answers, status and body, one after the other; the last again and again."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers['Content-Length']))
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_address[1]}'
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def result(value):
    return 200, {'jsonrpc': '2.0', 'id': 0, 'result': value}


def denial(code, message):
    return 200, {'jsonrpc': '2.0', 'id': 0, 'error': {'code': code, 'message': message}}


@pytest.mark.parametrize(
    'answer',
    [
        (200, b'<html>Please log in</html>'),
        (200, b'\xff\xfe'),
        (200, b'[]'),
        (200, b'7'),
        (200, {'jsonrpc': '2.0'}),
        result(None),
        result('xyz'),
        result({}),
    ],
)
def test_answers_that_are_no_json_rpc_are_asked_for_again(answer):
    with (
        answering(answer) as url,
        pytest.raises(UnreachableError, match='what came is no JSON-RPC; try again later'),
    ):
        Chain(url, timeout=0.5, poll=0.02)
    with answering(answer, answer, result('0x2276')) as url:
        assert Chain(url, timeout=5.0, poll=0.02).id == 8822


@pytest.mark.parametrize(
    ('answer', 'words'),
    [
        ((503, b''), 'HTTP 503 Service Unavailable'),
        ((429, b''), 'HTTP 429 Too Many Requests'),
        (denial(-32005, 'too many requests'), 'too many requests'),
    ],
)
def test_a_busy_node_is_asked_again(answer, words):
    told = []
    with answering(answer, result('0x7')) as url:
        assert Chain(url, timeout=5.0, poll=0.02, tell=told.append).id == 7
    assert words in told[0]
    with answering(answer) as url, pytest.raises(UnreachableError, match=words):
        Chain(url, timeout=0.5, poll=0.02)


@pytest.mark.parametrize(
    ('answer', 'words'),
    [
        ((404, b''), 'HTTP 404 Not Found; is the URL right'),
        ((401, b''), 'HTTP 401'),
        (denial(-32601, 'no such method'), 'refuses: no such method'),
    ],
)
def test_a_node_that_refuses_is_not_asked_again(answer, words):
    with answering(answer) as url, pytest.raises(ChainError, match=words) as caught:
        Chain(url, timeout=60.0)
    assert not isinstance(caught.value, UnreachableError)


def test_a_node_that_refuses_the_transaction_is_quoted():
    words = 'transaction type not supported'
    answers = [
        result('0x7'),  # chain id
        result('0x1'),  # price
        result('0x5208'),  # gas
        result('0xffffffff'),  # balance
        result('0x0'),  # nonce
        denial(-32000, words),
    ]
    with answering(*answers) as url:
        it = Chain(url, timeout=5.0, poll=0.02)
        with pytest.raises(ChainError, match=f'refuses: {words}'):
            create(it)
