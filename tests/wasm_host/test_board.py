"""The page that a worker writes and its parent reads."""

import fcntl
import mmap
import os

import pytest

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


def test_a_worker_cannot_take_the_page_away() -> None:
    descriptor = make()
    for size in (0, 2 * mmap.PAGESIZE):
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, size)
    with pytest.raises(PermissionError):
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    os.close(descriptor)


def test_it_is_not_inherited() -> None:
    descriptor = make()
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
