"""Rules that the proofs write: one that gives one answer, one that says what it read, one that says what it is told.

Pure. All are text modules. Readers look for `"last_user":"` in the request, which is where a granted text stands.
"""

from typing import Final

from wasm_host import abi

#: Where the request is written and the answer is built; both have 128 KiB.
_REQUEST, _ANSWER, _PAGES = 1024, 0x20000, 4
_KEY: Final = b'"last_user":"'
_QUOTE, _BACKSLASH = 0x22, 0x5C
_ALLOC: Final = f'(func (export "{abi.ALLOC}") (param i32) (result i32) (i32.const {_REQUEST}))'
#: The address after the key, 0 if it is not there. Twelve of the key's bytes are compared, in two loads.
_FIND: Final = f"""
  (func $find (param $at i32) (param $len i32) (result i32) (local $end i32)
    (local.set $end (i32.add (local.get $at) (local.get $len)))
    (loop $next
      (if (i32.gt_u (i32.add (local.get $at) (i32.const {len(_KEY)})) (local.get $end)) (then (return (i32.const 0))))
      (if (i32.and (i64.eq (i64.load (local.get $at)) (i64.const {int.from_bytes(_KEY[:8], "little")}))
                   (i32.eq (i32.load offset=8 (local.get $at)) (i32.const {int.from_bytes(_KEY[8:12], "little")})))
        (then (return (i32.add (local.get $at) (i32.const {len(_KEY)})))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next))
    (unreachable))"""
_ROUTE: Final = f'(func (export "{abi.ROUTE}") (param $ptr i32) (param $len i32) (result i64)'
_RETURN: Final = f"""
    (i64.or (i64.const {_ANSWER << 32}) (i64.extend_i32_u (i32.sub (local.get $to) (i32.const {_ANSWER}))))"""


def _module(code: str, imports: str = "") -> str:
    return f'(module {imports} (memory (export "memory") {_PAGES}) {_ALLOC} {code})\n'


def quoted(text: str) -> str:
    """`text` as a string of the text format."""
    return '"' + "".join(f"\\{byte:02x}" for byte in text.encode()) + '"'


def always(answer: str) -> str:
    """Gives one answer, whatever the request."""
    packed = _ANSWER << 32 | len(answer.encode())
    return _module(f"(data (i32.const {_ANSWER}) {quoted(answer)}) {_ROUTE} (i64.const {packed}))")


def trapping() -> str:
    """Does what WebAssembly forbids."""
    return _module(f"{_ROUTE} (unreachable))")


def tripping(answer: str, over: str) -> str:
    """Gives one answer, unless the user's last words begin with this character: then it traps."""
    packed = _ANSWER << 32 | len(answer.encode())
    return _module(
        f"""(data (i32.const {_ANSWER}) {quoted(answer)}) {_FIND}
  {_ROUTE}
    (if (i32.eq (i32.load8_u (call $find (local.get $ptr) (local.get $len))) (i32.const {ord(over)}))
      (then (unreachable)))
    (i64.const {packed}))"""
    )


def looping() -> str:
    """Never ends."""
    return _module(f"{_ROUTE} (loop $again (br $again)) (i64.const 0))")


def speaking(before: str, after: str, characters: int = 64) -> str:
    """Says `before`, the first characters of the user's last words, and `after`; and logs those words as well."""
    log = '(import "terraphim" "log" (func $log (param i32 i32 i32)))'
    head, tail = len(before.encode()), len(after.encode())
    return _module(
        f"""(data $before {quoted(before)}) (data $after {quoted(after)}) {_FIND}
  {_ROUTE} (local $at i32) (local $from i32) (local $to i32) (local $c i32)
    (local.set $at (call $find (local.get $ptr) (local.get $len)))
    (local.set $from (local.get $at))
    (if (i32.eqz (local.get $at)) (then (return (i64.const 0))))
    (memory.init $before (i32.const {_ANSWER}) (i32.const 0) (i32.const {head}))
    (local.set $to (i32.const {_ANSWER + head}))
    (block $done (loop $next
      (local.set $c (i32.load8_u (local.get $at)))
      (br_if $done (i32.eq (local.get $c) (i32.const {_QUOTE})))
      (br_if $done (i32.eq (local.get $c) (i32.const {_BACKSLASH})))
      (br_if $done (i32.ge_u (i32.sub (local.get $at) (local.get $from)) (i32.const {characters})))
      (i32.store8 (local.get $to) (local.get $c))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (br $next)))
    (call $log (i32.const 4) (local.get $from) (i32.sub (local.get $at) (local.get $from)))
    (memory.init $after (local.get $to) (i32.const 0) (i32.const {tail}))
    (local.set $to (i32.add (local.get $to) (i32.const {tail}))){_RETURN})""",
        log,
    )


def echoing() -> str:
    """Answers with the bytes that the user's last words are in hexadecimal."""
    return _module(f"""{_FIND}
  (func $nibble (param $c i32) (result i32)
    (i32.add (i32.and (local.get $c) (i32.const 15))
             (i32.mul (i32.const 9) (i32.shr_u (local.get $c) (i32.const 6)))))
  {_ROUTE} (local $at i32) (local $to i32)
    (local.set $at (call $find (local.get $ptr) (local.get $len)))
    (if (i32.eqz (local.get $at)) (then (return (i64.const 0))))
    (local.set $to (i32.const {_ANSWER}))
    (block $done (loop $next
      (br_if $done (i32.eq (i32.load8_u (local.get $at)) (i32.const {_QUOTE})))
      (i32.store8 (local.get $to)
        (i32.or (i32.shl (call $nibble (i32.load8_u (local.get $at))) (i32.const 4))
                (call $nibble (i32.load8_u offset=1 (local.get $at)))))
      (local.set $at (i32.add (local.get $at) (i32.const 2)))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (br $next))){_RETURN})""")
