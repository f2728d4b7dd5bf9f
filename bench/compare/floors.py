"""What the least costs: nginx, and Python that passes bytes on (`bench/floors`)."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final

from bench import children, trees
from bench.compare.target import SAME, Place, Running, Speech, Target, of

_NGINX: Final = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/errors;
{user}
events {{ worker_connections 8192; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream provider {{
        server 127.0.0.1:{upstream};
        keepalive 1024;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 32m;
        client_body_buffer_size 1m;
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


@contextmanager
def _nginx(place: Place) -> Iterator[Running]:
    """One worker, connections kept on both sides, nothing buffered."""
    port = children.free_port()
    place.folder.mkdir(parents=True)
    user = "user root;" if os.geteuid() == 0 else ""
    config = place.folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=place.folder, upstream=place.upstream, port=port, user=user))
    command = [str(shutil.which("nginx")), "-p", str(place.folder), "-c", str(config)]
    with children.pinned(place.cores.measured):
        process = subprocess.Popen(command, env=children.environment(place.folder / "home"), stderr=subprocess.DEVNULL)
    with trees.stopped(process):
        if not children.answering(process, port, "/"):
            raise RuntimeError(f"nginx does not answer: {(place.folder / 'errors').read_text()[-1000:]}")
        yield Running(process.pid, port)


def _program(name: str, *args: str) -> "partial[AbstractContextManager[Running]]":
    return partial(_started, name, args)


def _started(name: str, args: tuple[str, ...], place: Place) -> AbstractContextManager[Running]:
    arguments = (str(place.upstream), *args)
    file = children.HERE / "floors" / f"{name}.py"
    return of(children.program(file, *arguments, core=place.cores.measured, home=place.folder))


def targets() -> list[Target]:
    """nginx only where it is installed."""
    speeches = {SAME: Speech()}
    return [
        *([Target("nginx", "floor", _nginx, speeches)] if shutil.which("nginx") else []),
        Target("protocol", "floor", _program("protocol"), speeches),
        Target("asgi", "floor", _program("asgi"), speeches),
        Target("reencode", "floor", _program("asgi", "reencode"), speeches),
    ]
