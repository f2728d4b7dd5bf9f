from pathlib import Path

import httpx
import pytest
from command import Cli
from configs import write_config
from proxy import running

from prove.scene import wait


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, "http://127.0.0.1:1")


@pytest.fixture
def cli(clean_env: dict[str, str], tmp_path: Path) -> Cli:
    return Cli(clean_env, tmp_path)


def test_the_id_is_recomputed_as_a_proxy_has_it(cli: Cli, config: Path, clean_env: dict[str, str]) -> None:
    with running(clean_env, "--config", str(config)) as proxy:
        served = httpx.get(f"{proxy.url}/health").json()["snapshot"]
        code, found = cli.json("snapshot", "--config", config)
        assert (code, found["id"], found["digest"][:12]) == (0, served, served)
        assert set(found["parts"]) == {"settings", "taxonomy", "rules", "catalogue", "vocabularies", "code"}
        code, out, _ = cli("snapshot", "--config", config)
        assert (code, out.splitlines()[0]) == (0, served)
        rows = cli.json("snapshot", "list")[1]
        assert [(row["id"], row["serving"]) for row in rows] == [(served, [proxy.process.pid])]
    [row] = cli.json("snapshot", "list")[1]
    assert (row["serving"], row["by_hand"], row["config"]) == ([], False, str(config))
    assert row["first_served"] == row["last_served"] == row["saved"] != ""
    assert row["bytes"] > 500


def test_one_is_saved_with_a_note_compared_and_listed(cli: Cli, config: Path) -> None:
    code, saved = cli.json("snapshot", "save", "--config", config, "--note", "as tested")
    assert (code, saved["name"][:12]) == (0, saved["id"])
    assert cli("snapshot", "diff", saved["id"], "--config", config)[1] == f"{saved['id']}: nothing differs\n"
    config.write_text(
        f"[server]\nport = 4000\n{config.read_text()}".replace('default = "one,main"', 'default = "one,long"')
    )
    code, out, _ = cli("snapshot", "diff", saved["id"], "--config", config)
    assert code == 0
    assert "  routing.default: one,main -> one,long" in out
    assert "  server.port: 3456 -> 4000   (from the next start)" in out
    other = cli.json("snapshot", "save", "--config", config)[1]
    found = cli.json("snapshot", "diff", saved["id"], other["id"])[1]
    assert [(each["key"], each["restart"]) for each in found["settings"]] == [
        ("routing.default", False),
        ("server.port", True),
    ]
    code, out, _ = cli("snapshot", "list")
    assert "as tested" in out
    assert out.splitlines()[-1].startswith("2 saved in ")


def test_what_is_not_there_is_an_error(cli: Cli, config: Path) -> None:
    code, out, err = cli("snapshot", "diff", "0123456789ab", "--config", config)
    assert (code, out, err) == (
        1,
        "",
        "error: no snapshot 0123456789ab is saved here: see terraphim-proxy snapshot list\n",
    )
    config.write_text("[routing\n")
    assert cli("snapshot", "--config", config)[0] == 78
    assert cli("snapshot", "save", "--config", config)[0] == 78


def test_a_rollback_is_served_and_never_a_mix(cli: Cli, config: Path, clean_env: dict[str, str]) -> None:
    concept = config.parent / "taxonomy" / "a.md"
    first = config.read_text()
    with running(clean_env, "--config", str(config)) as proxy:
        one = httpx.get(f"{proxy.url}/health").json()["snapshot"]
        wait(lambda: any(row["serving"] for row in cli.json("snapshot", "list")[1]), "it is not saved", 0.2)
        config.write_text(first.replace('default = "one,main"', 'default = "one,long"'))
        concept.write_text("# A\nroute:: one, eyes\nsynonyms:: good day\n")
        two = cli.json("snapshot", "--config", config)[1]["id"]
        wait(lambda: any(row["id"] == two for row in cli.json("snapshot", "list")[1]), "the second is not saved", 0.2)
        seen = set[str]()
        code, out, err = cli("config", "rollback", "--config", config, "--yes")
        assert (code, err) == (0, "")
        assert f"remove {concept}" in out
        assert out.splitlines()[-1].endswith(" is back")

        def back() -> bool:
            seen.add(httpx.get(f"{proxy.url}/health").json()["snapshot"])
            return one in seen

        wait(back, "the first does not serve again", 0.01)
        assert seen <= {one, two}
    assert config.read_text() == first
    assert not concept.exists()
