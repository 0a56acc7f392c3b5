"""How a large table's rows are dealt to two loaders: whole rows, to the loader that waits."""

from __future__ import annotations

from queue import Queue

from ledgervault.postgres.row_loader import _Dealer


def deal_pieces(pieces: list[bytes], taken: dict[int, int] | None = None) -> list[list[bytes]]:
    """What each loader got; before the piece of that number, that loader takes all it has."""
    queues: list[Queue[bytes | None]] = [Queue(), Queue()]
    got: list[list[bytes]] = [[], []]

    def take(loader: int) -> None:
        while not queues[loader].empty():
            got[loader].append(queues[loader].get() or b"")

    dealer = _Dealer(queues)
    for number, piece in enumerate(pieces):
        if taken and number in taken:
            take(taken[number])
        dealer.deal(piece)
    take(0)
    take(1)
    return got


def test_two_loaders_share_whole_rows() -> None:
    assert deal_pieces([b"1\n", b"2\n", b"3\n4\n"]) == [[b"1\n", b"3\n4\n"], [b"2\n"]]


def test_the_pieces_of_one_row_go_to_one_loader_however_busy_it_is() -> None:
    pieces = [b"1\n", b"lo", b"ng", b" row\n", b"2\n"]
    assert deal_pieces(pieces) == [[b"1\n", b"2\n"], [b"lo", b"ng", b" row\n"]]
    assert deal_pieces(pieces, taken={3: 0}) == [[b"1\n", b"2\n"], [b"lo", b"ng", b" row\n"]]


def test_the_loader_that_waits_gets_the_next_rows() -> None:
    assert deal_pieces([b"1\n", b"2\n", b"3\n", b"4\n"], taken={3: 0}) == [[b"1\n", b"3\n", b"4\n"], [b"2\n"]]
