import msgspec
from starlette.datastructures import Headers

from core.redaction import Redactor
from core.web import answers

KNOWN = Redactor(["sk-a-long-secret-of-mine", "short-one"])


def test_a_secret_leaves_in_no_value() -> None:
    said = answers.value(KNOWN, {"a": ["sk-a-long-secret-of-mine", "x short-one", "ü SK-A-LONG-SECRET-OF ü"]}).body
    assert msgspec.json.decode(said) == {"a": ["[redacted]", "x [redacted]", "ü [redacted] ü"]}


def test_what_holds_none_is_as_it_was() -> None:
    value = {"<b>": "<script>alert(1)</script>\u2028 ü", "n": [1, None]}
    assert msgspec.json.decode(answers.value(KNOWN, value).body) == value


def test_errors_have_openais_shape_on_the_admin_plane_and_the_clients_elsewhere() -> None:
    headers = Headers({"anthropic-version": "2023-06-01"})
    admin = answers.error("/admin/x", headers, 404, "not_found_error", "no")
    other = answers.error("/health", headers, 404, "not_found_error", "no")
    assert msgspec.json.decode(admin.body)["error"]["type"] == "not_found_error"
    assert "type" not in msgspec.json.decode(admin.body)
    assert msgspec.json.decode(other.body)["type"] == "error"
