import subprocess
import sys

import pytest
from facts import ROOT
from wasmtime import Config

from wasm_host import profile


def test_every_setting_of_the_profile_exists() -> None:
    assert all(hasattr(Config, name) for name in profile.PROFILE)


def test_identity_names_version_and_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    before = profile.identity.__wrapped__()
    monkeypatch.setitem(profile.PROFILE, "consume_fuel", False)
    assert before.startswith("wasmtime-50.")
    assert profile.identity.__wrapped__() != before


def test_the_proxy_loads_rules_without_loading_the_engine() -> None:
    """What a process needs that runs no rule itself."""
    modules = ("profile", "compiler", "registry", "answer", "guest", "rule", "preflight", "manifest", "host")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + "".join(f"import wasm_host.{m}\n" for m in modules)
    code += "from wasm_host.profile import identity\nidentity()\nsys.exit('wasmtime' in sys.modules)"
    assert subprocess.run([sys.executable, "-I", "-c", code], env={}, check=False, timeout=60).returncode == 0
