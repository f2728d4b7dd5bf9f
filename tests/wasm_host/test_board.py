"""The page that a worker writes and its parent reads."""

import os

from wasm_host.board import Board, Note, make


def test_what_one_side_writes_the_other_reads() -> None:
    descriptor = make()
    writer, reader = Board(descriptor), Board(descriptor)
    os.close(descriptor)
    assert reader.read() is None
    writer.write(7, 2, 123)
    assert reader.read() == Note(7, 2, 123)
    writer.idle()
    assert reader.read() is None
    writer.write(0, 0, 0)
    assert reader.read() == Note(0, 0, 0)
    writer.close()
    reader.close()


def test_it_is_not_inherited() -> None:
    descriptor = make()
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
