"""A child under callgrind: does each piece of work, and has it counted. `python -m bench.check.counted LIBRARY`."""

import ctypes
import gc
import sys

from bench.check import work

#: Each is done so many times before it is counted: caches are warm, and the interpreter has specialised its code.
WARM = 10


def main() -> None:
    """The command line."""
    counting = ctypes.CDLL(sys.argv[1])
    with work.pieces() as pieces:
        for piece in pieces:
            for _ in range(WARM):
                piece.run()
        gc.collect()
        gc.disable()  # when it runs depends on everything that ran before
        for piece in pieces:
            counting.count_begin()
            for _ in range(piece.times):
                piece.run()
            counting.count_end(f"{piece.times} {piece.name}".encode())


if __name__ == "__main__":
    main()
