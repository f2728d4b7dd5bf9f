"""Configurations for tests of the whole program."""

from pathlib import Path

CONFIG = """\
[providers.one]
dialect = "{one}"
base_url = "{url}"
allow_private = true
api_key = {{ env = "ONE_KEY" }}
[providers.one.models]
main = {{ images = true, tools = true, thinking = true, web_search = true, max_output = 4096 }}
small = {{}}
thinker = {{}}
long = {{}}
search = {{ web_search = true }}
eyes = {{ images = true }}
[providers.two]
dialect = "{two}"
base_url = "{url}"
allow_private = true
[providers.two.models]
spare = {{}}
[routing]
default = "one,main"
fallback = ["two,spare"]
[routing.runtime]
background = "one,small"
thinking = "one,thinker"
long_context = "one,long"
web_search = "one,search"
image = "one,eyes"
[resilience]
breaker = false                # tests share a proxy: a fault of one must not close a target to the next
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""


def write_config(folder: Path, url: str, one: str = "anthropic", two: str = "openai") -> Path:
    """A configuration with two providers at `url`, and empty folders for rules and taxonomy."""
    for name in ("plugins", "taxonomy"):
        (folder / name).mkdir(exist_ok=True)
    path = folder / "config.toml"
    path.write_text(CONFIG.format(url=url, one=one, two=two))
    return path


#: Two targets that answer by themselves, rules and a taxonomy beside the file.
HERE = """\
[providers.here]
dialect = "loopback"
models = { a = {}, b = {} }
[routing]
default = "here,a"
[plugins]
dir = "plugins"
[taxonomy]
dir = "taxonomy"
"""
