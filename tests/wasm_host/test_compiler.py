import hashlib
import os
from pathlib import Path

import pytest
from wasm_modules import leb, running, wasm_name, wasm_section
from wasmtime import wat2wasm

from wasm_host import abi, child, compiler
from wasm_host.compiler import Compiled, compile_module, read_artifact, read_facts
from wasm_host.preflight import Refusal

SOURCE = running("(i64.const 0)").encode()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


ALLOC_MARK = '(func (export "rule_v1_alloc")'


def compiled(cache: Path, source: bytes = SOURCE) -> Compiled:
    result = compile_module(source, text=True, cache=cache)
    assert isinstance(result, Compiled), result
    return result


def test_facts(cache: Path) -> None:
    source = running("(i64.const 0)", '(import "terraphim" "log" (func (param i32 i32 i32)))')
    source = source.replace('(memory (export "memory") 5)', "") + " "
    source = source.replace(ALLOC_MARK, '(memory (export "memory") 5 7)' + ALLOC_MARK, 1)
    facts = compiled(cache, source.encode()).facts
    assert facts.sha256 == hashlib.sha256(source.encode()).hexdigest()
    assert facts.size == len(source)
    assert facts.wasm_size == len(wat2wasm(source))
    assert facts.imports == ("terraphim.log",)
    assert facts.exports == {
        "memory": "memory",
        abi.ALLOC: "(i32) -> (i32)",
        abi.ROUTE: "(i32, i32) -> (i64)",
    }
    assert (facts.memory, facts.memory_max) == (5 * abi.PAGE, 7 * abi.PAGE)
    assert (facts.functions, facts.shape) == (3, "reactor")
    assert not facts.pure
    assert (facts.smoke.code, facts.smoke.message) == ("abstain", "")
    assert facts.smoke.fuel > 0
    assert facts.engine.startswith("wasmtime-")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("", "abstain", ""),
        ("(drop (call $w (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))", "answer", ""),
        ("unreachable", "trap", "unreachable"),
    ],
)
def test_a_command_is_asked_once_too(cache: Path, body: str, code: str, message: str) -> None:
    write = f'(import "{abi.WASI}" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))'
    data = '(memory (export "memory") 1) (data (i32.const 8) "\\10\\00\\00\\00\\01")'
    facts = compiled(cache, f'(module {write} {data} (func (export "_start") {body}))'.encode()).facts
    assert (facts.shape, facts.imports, facts.smoke.code, facts.smoke.message) == (
        "command", (f"{abi.WASI}.fd_write",), code, message,
    )  # fmt: skip


def test_binary_and_text_give_the_same_module(cache: Path) -> None:
    binary = compile_module(bytes(wat2wasm(SOURCE)), text=False, cache=cache)
    assert isinstance(binary, Compiled)
    assert binary.facts.wasm_size == compiled(cache).facts.wasm_size
    assert binary.facts.sha256 != compiled(cache).facts.sha256


def test_text_under_the_name_of_a_binary_is_refused(cache: Path) -> None:
    refusal = compile_module(SOURCE, text=False, cache=cache)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "not_wasm"


def test_a_cached_artifact_needs_no_child(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiled(cache)
    monkeypatch.setattr(child, "run", None)
    assert compiled(cache) == first


def test_the_cache_is_ours_alone(cache: Path) -> None:
    artifact = compiled(cache).artifact
    assert cache.stat().st_mode & 0o777 == 0o700
    assert artifact.stat().st_mode & 0o777 == 0o600
    cache.chmod(0o750)
    refusal = compile_module(SOURCE, text=True, cache=cache)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.hint) == ("cache", f"run: chmod 700 {cache}")


def test_a_linked_cache_folder_is_refused(cache: Path, tmp_path: Path) -> None:
    cache.symlink_to(tmp_path)
    refusal = compile_module(SOURCE, text=True, cache=cache)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "cache"


def test_a_damaged_artifact_is_made_again(cache: Path) -> None:
    first = compiled(cache)
    sound = read_artifact(first.artifact)
    data = bytearray(first.artifact.read_bytes())
    for damage in (bytes(data[:-1]), bytes([data[0] ^ 1]) + bytes(data[1:]), b"", bytes(data[:-1]) + b"\0"):
        first.artifact.write_bytes(damage)
        assert read_artifact(first.artifact) is None
        assert read_facts(first.artifact) is None
        assert compiled(cache) == first
        assert read_artifact(first.artifact) == sound


def test_an_artifact_that_others_may_write_or_that_is_a_link_is_not_read(cache: Path, tmp_path: Path) -> None:
    artifact = compiled(cache).artifact
    link = tmp_path / "link"
    link.symlink_to(artifact)
    assert read_artifact(link) is None
    artifact.chmod(0o622)
    assert read_artifact(artifact) is None


def test_limits_are_part_of_the_key(cache: Path) -> None:
    source = SOURCE.replace(b'"memory") 5', b'"memory") 300')
    assert isinstance(compile_module(source, text=True, cache=cache), Refusal)
    raised = compile_module(source, text=True, cache=cache, limits={"memory": 300 * abi.PAGE})
    assert isinstance(raised, Compiled)
    assert isinstance(compile_module(source, text=True, cache=cache), Refusal)


def test_old_entries_leave(cache: Path) -> None:
    first = compiled(cache).artifact
    for number in range(compiler.CACHE_ENTRIES + 5):
        entry = cache / f"{number}.artifact"
        entry.touch()
        os.utime(entry, (number, number))
    compiled(cache, SOURCE + b" ")
    left = {entry.name for entry in cache.iterdir()}
    assert len(left) == compiler.CACHE_ENTRIES
    assert first.name in left
    assert "0.artifact" not in left


def test_a_compile_bomb_ends_with_its_cpu_time(cache: Path) -> None:
    """19 000 nested if/else: valid, 130 KB, and quadratic for the engine."""
    nested = 19_000
    body = b"\x00" + b"\x20\x00\x04\x40" * nested + b"\x05\x0b" * nested + b"\x0b"
    types = wasm_section(1, b"\x03\x60\x01\x7f\x01\x7f\x60\x02\x7f\x7f\x01\x7e\x60\x01\x7f\x00")
    exports = b"".join((wasm_name("memory"), b"\2\0", wasm_name(abi.ALLOC), b"\0\0", wasm_name(abi.ROUTE), b"\0\1"))
    bodies = (b"\x00\x41\x80\x08\x0b", b"\x00\x42\x00\x0b", body)
    code = b"\x03" + b"".join(leb(len(content)) + content for content in bodies)
    module = types + wasm_section(3, b"\x03\0\1\2") + wasm_section(5, b"\1\0\1") + wasm_section(7, b"\3" + exports)
    refusal = compile_module(b"\0asm\1\0\0\0" + module + wasm_section(10, code), text=False, cache=cache)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "cpu"
    assert list(cache.iterdir()) == []


def test_a_child_that_dies_is_a_refusal(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = {
        "cpu": child.Finished(-24, b"", ""),
        "memory": child.Finished(-6, b"", "memory allocation of 5 bytes failed"),
        "crash": child.Finished(-11, b"", ""),
        "time": child.Finished(None, b"", ""),
    }
    for code, result in results.items():
        monkeypatch.setattr(child, "run", lambda *_, result=result, **__: result)
        refusal = compile_module(SOURCE, text=True, cache=cache)
        assert isinstance(refusal, Refusal)
        assert refusal.code == code
        assert refusal.hint


@pytest.mark.parametrize(
    ("code_size", "seconds"),
    [(0, 2), (256 * abi.KIB, 2), (256 * abi.KIB + 1, 3), (384 * abi.KIB, 3), (1209855, 10), (64 * abi.MIB, 30)],
)
def test_cpu_time_by_size_of_code(code_size: int, seconds: int) -> None:
    assert compiler.cpu_seconds(code_size) == seconds
