"""The page's files, as the running program serves them."""

import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from zipfile import ZipFile

import httpx
import pytest
from facts import ROOT
from proxy import RunningProxy

from core.web import static


def raw(proxy: RunningProxy, target: bytes, method: bytes = b"GET") -> bytes:
    """The answer to a path that no HTTP client would send."""
    parts = urlsplit(proxy.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), 10) as connection:
        connection.sendall(method + b" " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_every_file_is_served_as_what_it_is(embedded: RunningProxy) -> None:
    files = static.read()
    assert "index.html" in files
    for name, file in files.items():
        answer = httpx.get(f"{embedded.url}/ui/{name}")
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, file.data, file.type)
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = httpx.get(f"{embedded.url}/ui/{name}", headers={"if-none-match": f'"other", W/{file.etag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", file.etag)


@pytest.mark.parametrize("path", ["/ui", "/ui/"])
def test_the_page_itself(embedded: RunningProxy, path: str) -> None:
    answer = httpx.get(embedded.url + path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.content == static.read()["index.html"].data
    head = httpx.head(embedded.url + path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", answer.headers["etag"])
    assert "content-security-policy" in head.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_is_only_read(embedded: RunningProxy, method: str) -> None:
    answer = httpx.request(method, f"{embedded.url}/ui/index.html", headers={"origin": embedded.url})
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path",
    [
        "../app.py", "%2e%2e/app.py", "..%2fapp.py", "%2e%2e%2fapp.py", "..\\app.py", "..%5capp.py", "/etc/passwd",
        "//etc/passwd", "./index.html", "index.html/", "index.html%00", "%00", "index.html%00.js", "INDEX.HTML",
        "../../../../../../etc/passwd", "%252e%252e/app.py", "..;/app.py", "%c0%ae%c0%ae/app.py", "", "%2f", "%ff",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_folder(embedded: RunningProxy, path: str) -> None:
    answer = raw(embedded, b"/ui/" + path.encode())
    status = int(answer.split(b" ", 2)[1])
    assert status in ({200} if not path else {400, 404})
    assert b"import " not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "path", [b"//ui", b"/ui//", b"/UI", b"/ui.html", b"/uix", b"/./ui", b"/x/../ui", b"/ui/%s" % (b"a" * 5000)]
)
def test_there_is_one_way_to_it(embedded: RunningProxy, path: bytes) -> None:
    assert int(raw(embedded, path).split(b" ", 2)[1]) in {400, 404}


def test_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "a.mjs").write_text("1")
    (tmp_path / "LICENSE").write_text("free")
    files = static.read(tmp_path)
    assert {name: file.type for name, file in files.items()} == {
        "LICENSE": "text/plain; charset=utf-8",
        "vendor/a.mjs": "text/javascript; charset=utf-8",
    }
    assert len({file.etag for file in files.values()}) == 2


def test_the_wheel_has_all_of_them(tmp_path: Path, clean_env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env=clean_env, check=True, capture_output=True, timeout=60)
    [wheel] = tmp_path.glob("*.whl")
    with ZipFile(wheel) as packed:
        inside = {name: packed.read(name) for name in packed.namelist() if name.startswith("core/ui/")}
    assert inside == {f"core/ui/{name}": file.data for name, file in static.read().items()}
