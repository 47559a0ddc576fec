"""What a client may ask of the explorer's server, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """
    Times in seconds, sizes in bytes.

    :param connections: at a time; more are closed at once.
    :param followers: WebSockets at a time; more are answered 503.
    :param questions: that wait for the reader; more are answered 503.
    :param answer: for the reader to answer; then 503.
    :param exchange: for a request to come and its answer to be fetched; then it is cut off.
    :param send: for a follower to take news; then it is cut off.
    :param hang_up: for a closed connection to take what was sent; then it is cut off.
    :param head: of a request.
    :param target: path and query of a request.
    :param requests: a second of one address.
    :param seconds_saved: of unused requests, at most.
    :param addresses: that are kept apart; the longest unheard one is forgotten.
    :param interval: between looks whether the ledger has grown.
    """

    connections: int = 64
    followers: int = 16
    questions: int = 32
    answer: float = 20.0
    exchange: float = 40.0
    send: float = 10.0
    hang_up: float = 2.0
    head: int = 16 * 1024
    target: int = 2 * 1024
    requests: float = 100.0
    seconds_saved: float = 3.0
    addresses: int = 256
    interval: float = 0.5
