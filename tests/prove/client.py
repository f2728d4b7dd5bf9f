"""A client with a process of its own: `python client.py PORT METHOD PATH BODY PAUSE_MS`, until its stdin is closed.

One connection, one request after the other. Prints one JSON list: for each request when it began (the machine's
monotonic clock, s), how long it took (ms), its status (0: no whole answer), the headers that say what was decided, and
the codes that rules gave as their reason, if the answer is an explanation.
"""

import json
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

#: A hang bound, in seconds.
PATIENCE_S = 30


def once(connection: HTTPConnection, method: str, path: str, body: bytes) -> tuple[int, str, str, list[str]]:
    """Status, reason and target of one request, and what rules said."""
    try:
        connection.request(method, path, body or None, {"content-type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
    except (OSError, HTTPException):
        connection.close()
        return 0, "", "", []
    target = f"{answer.headers.get('x-terraphim-provider', '')},{answer.headers.get('x-terraphim-model', '')}"
    reason = answer.headers.get("x-terraphim-reason", "")
    said = []
    if path == "/v1/route" and answer.status == 200:
        steps = json.loads(data)["trace"]
        said = [step["detail"]["reason"] for step in steps if step["phase"] == "custom" and "reason" in step["detail"]]
    return answer.status, reason, target, said


def _wait_for_the_end(ending: threading.Event) -> None:
    sys.stdin.read()
    ending.set()


def main() -> None:
    """The command line."""
    port, method, path, file, pause_ms = sys.argv[1:]
    body = Path(file).read_bytes() if file != "-" else b""
    ending = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(ending,), daemon=True).start()
    connection = HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE_S)
    seen = []
    while not ending.is_set():
        begun = time.monotonic()
        result = once(connection, method, path, body)
        seen.append([begun, (time.monotonic() - begun) * 1000, *result])
        time.sleep(float(pause_ms) / 1000)
    connection.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
