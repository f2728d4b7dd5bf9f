import json

import msgspec

from wasm_host import abi, hostile
from wasm_host.projection import make_plan, project


def test_every_shape_is_json_of_its_own_name_and_small() -> None:
    shapes = list(hostile.shapes())
    assert len({name for name, _ in shapes}) == len({data for _, data in shapes}) == len(shapes) > 50
    for name, data in shapes:
        assert isinstance(json.loads(data), dict), name
        assert len(data) < abi.LIMITS["request"].default, name


def test_the_shapes_are_always_the_same() -> None:
    assert list(hostile.shapes()) == list(hostile.shapes())


def test_every_text_and_every_number_gets_its_turn() -> None:
    shapes = dict(hostile.shapes())
    assert "\ue000" not in b"".join(shapes.values()).decode()
    lone = shapes["texts: a lone high surrogate"]
    assert lone.count(rb'"\ud800"') == 12
    edge = json.loads(shapes["numbers: 2^53 - 1"])
    numbers = [edge["now_ms"], edge["seed"], edge["request"]["token_count"], edge["session"]["turns"]]
    assert numbers == [2**53 - 1] * 4
    assert edge["targets"][0]["price"]["output"] == 2**53 - 1


def test_config_is_nested_deep() -> None:
    config = json.loads(dict(hostile.shapes())["lists nested deep in config"])["config"]["a"]
    depth = 0
    while config:
        config, depth = config[0], depth + 1
    assert depth == 199


def test_floods_fill_what_a_rule_asked_to_see_and_nothing_else() -> None:
    everything = make_plan(
        ["request", "request.last_user", "headers[x-team]", "targets"],
        ["request.last_user", "headers[x-team]"],
        None,
    )
    modest = make_plan(["request.model"], [], None)
    sizes = {}
    for name, view in hostile.floods(everything.headers):
        data = project(everything, view)
        assert data is None or len(data) <= everything.limit
        sizes[name] = len(data or b"")
        assert len(project(modest, view) or b"") < 300
    assert sizes["256 KiB of escaped text"] > 200 * abi.KIB
    assert sizes["4 KiB of plain text"] > 4 * abi.KIB
    assert sizes["headers of 8 KiB"] > 8 * abi.KIB
    assert sizes["500 tools"] > 10 * abi.KIB
    assert sizes["200 targets"] > 20 * abi.KIB


def test_floods_are_legal_views() -> None:
    assert all(msgspec.json.encode(view) for _, view in hostile.floods())
