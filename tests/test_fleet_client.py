"""The client of past metrics: what it sends and never shows, what it does when a server is busy, refuses or lies."""

from __future__ import annotations

import json
import math
import threading
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import serving

from footprint.errors import InputError, QueryError
from footprint.fleet.access import access
from footprint.fleet.prometheus import (
    MOST_POINTS,
    Prometheus,
    columns_of,
    in_order,
    joined,
    milliseconds,
)
from footprint.fleet.queries import any_of, differs, equals, hosts_like, selector

SECRET = "s3cr3t-t0ken"
Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Fake:
    """A server that answers as it is told, and remembers what it was asked."""

    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    reply: Callable[[Mapping[str, str]], Answer] | None = None
    url: str = ""


def success(result: Any, **more: Any) -> Answer:
    kind = "matrix" if result and "values" in result[0] else "vector"
    body = {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    return 200, {}, json.dumps(body).encode()


def refusal(code: int, problem: str) -> Answer:
    return code, {}, json.dumps({"status": "error", "errorType": "execution", "error": problem}).encode()


@pytest.fixture
def fake() -> Iterator[Fake]:
    told = Fake()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
            told.asked.append((self.path, form, {name.lower(): value for name, value in self.headers.items()}))
            code, headers, body = told.reply(form) if told.reply else told.answers.pop(0)
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            return

    with serving(Handler) as told.url:
        yield told


def client(fake: Fake, environment: Mapping[str, str] | None = None) -> Prometheus:
    return Prometheus(access(fake.url, environment or {}), pause=lambda seconds: None)


POINT = {"metric": {"UUID": "a"}, "value": [1.0, "2"]}


# who asks


def test_a_bearer_token_and_a_tenant_from_files_are_sent_and_never_shown(fake: Fake, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n", encoding="utf-8")
    environment = {"FOOTPRINT_PROMETHEUS_TOKEN_FILE": str(tmp_path / "token"), "FOOTPRINT_PROMETHEUS_ORG": "team-1"}
    one = client(fake, environment)
    fake.answers = [success([POINT]), refusal(401, f"bad {SECRET}"), refusal(422, f"no, Bearer {SECRET} may not")]
    one.instant("up", 0.0)
    headers = fake.asked[0][2]
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert headers["x-scope-orgid"] == headers["thanos-tenant"] == "team-1"
    assert SECRET not in repr(one)
    assert SECRET not in repr(access(fake.url, environment))
    for told in ("refuses .HTTP 401.; set FOOTPRINT_PROMETHEUS_TOKEN_FILE", r"no, \*\*\* may not"):
        with pytest.raises(QueryError, match=told) as caught:
            one.instant("up", 0.0)
        assert SECRET not in str(caught.value)


def test_user_and_password_of_an_address_are_sent_as_basic_and_taken_out_of_it(fake: Fake) -> None:
    fake.answers = [success([POINT])]
    one = Prometheus(access(fake.url.replace("http://", f"http://me:{SECRET}@") + "/?x=1#y", {}))
    one.instant("up", 0.0)
    assert fake.asked[0][2]["authorization"].startswith("Basic ")
    assert one.address == fake.url


def test_further_headers_come_from_a_file(fake: Fake, tmp_path: Path) -> None:
    path = tmp_path / "headers"
    path.write_text("X-Proxy-Key: abc\n\nX-Other: 1\n", encoding="utf-8")
    fake.answers = [success([POINT])]
    client(fake, {"FOOTPRINT_PROMETHEUS_HEADERS_FILE": str(path)}).instant("up", 0.0)
    assert fake.asked[0][2]["x-proxy-key"] == "abc"


@pytest.mark.parametrize(
    ("url", "environment", "told"),
    [
        (None, {}, "prometheus: is missing; name the server"),
        ("file:///etc/passwd", {}, "is no address of a server"),
        ("ftp://host/", {}, "is no address of a server"),
        ("http://host:99999999", {}, "is no address"),
        (f"http://me:{SECRET}@[bad", {}, "is no address"),
        ("http://h o", {}, "is no address of a server"),
        ("http://h", {"FOOTPRINT_PROMETHEUS_TOKEN_FILE": "/nowhere/at/all"}, "cannot be read"),
        ("http://h", {"FOOTPRINT_PROMETHEUS_TOKEN": f"{SECRET}\r\nX: y"}, "must be one line"),
        ("http://h", {"FOOTPRINT_PROMETHEUS_TOKEN": SECRET, "FOOTPRINT_PROMETHEUS_USER": "me"}, "are both set"),
    ],
)
def test_what_cannot_be_an_address_or_a_secret_is_refused_without_showing_it(
    url: str | None, environment: dict[str, str], told: str
) -> None:
    with pytest.raises(InputError, match=told) as caught:
        access(url, environment)
    assert SECRET not in str(caught.value)


def test_no_redirect_carries_credentials_elsewhere(fake: Fake) -> None:
    fake.answers = [(302, {"Location": "http://127.0.0.1:1/steal"}, b"")]
    with pytest.raises(QueryError, match=r"sends elsewhere .HTTP 302."):
        client(fake, {"FOOTPRINT_PROMETHEUS_TOKEN": SECRET}).instant("up", 0.0)
    assert len(fake.asked) == 1


# what is asked


def test_thanos_is_asked_for_whole_answers_of_raw_data(fake: Fake) -> None:
    fake.answers = [success([POINT], warnings=["a store\nis away"])]
    one = client(fake)
    one.instant("up", 12.5)
    form = fake.asked[0][1]
    assert form["partial_response"] == "false"
    assert form["max_source_resolution"] == "0s"
    assert form["time"] == "12.500"
    assert list(one.warnings) == ["a store is away"]


def test_a_range_of_more_points_than_servers_give_is_asked_in_parts(fake: Fake) -> None:
    def reply(form: Mapping[str, str]) -> Answer:
        start, end, step = (float(form[name]) for name in ("start", "end", "step"))
        count = int((end - start) / step + 1e-9) + 1
        assert count <= 11_000
        values = [[start + step * i, "1"] for i in range(count)]
        return success([{"metric": {"UUID": "a"}, "values": values}])

    fake.reply = reply
    (found,) = client(fake).steps("up", 0.0, 2.5 * MOST_POINTS, 1.0)
    assert [at_s for at_s, _ in found.samples] == [float(i) for i in range(25_001)]


def test_a_window_that_is_too_much_for_the_server_is_halved_until_it_is_not(fake: Fake) -> None:
    def reply(form: Mapping[str, str]) -> Answer:
        span_s = int(form["query"].split("[")[1].split("ms")[0]) / 1000
        end = float(form["time"])
        if span_s > 100:
            return refusal(422, "query processing would load too many samples into memory in query execution")
        values = [[float(i), "1"] for i in range(int(end - span_s), int(end) + 1)]
        return success([{"metric": {"UUID": "a"}, "values": values}])

    fake.reply = reply
    (found,) = client(fake).raw("up{}", 0.0, 640.0)
    assert [at_s for at_s, _ in found.samples] == [float(i) for i in range(641)]


def test_a_busy_server_is_asked_again_and_one_that_refuses_is_not(fake: Fake) -> None:
    fake.answers = [refusal(503, "starting up"), refusal(429, "slow down"), success([POINT])]
    assert client(fake).instant("up", 0.0)[0].samples == [(1.0, 2.0)]
    fake.answers = [refusal(400, "parse error: unexpected ]"), success([POINT])]
    with pytest.raises(QueryError, match=r"HTTP 400.: parse error"):
        client(fake).instant("up", 0.0)
    fake.answers = [refusal(503, "starting up")] * 4
    with pytest.raises(QueryError, match=r"HTTP 503.: starting up"):
        client(fake).instant("up", 0.0)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, {}, b"<html>grafana</html>"), "does not speak Prometheus' HTTP API"),
        ((200, {}, b"[]"), "does not speak"),
        ((200, {}, b'{"status": "success", "data": {"resultType": "string", "result": [1, "x"]}}'), "something else"),
        ((200, {}, b'{"status": "success", "data": {"resultType": "vector", "result": [{}]}}'), "something else"),
        ((404, {}, b"page not found"), "has no query API there"),
        ((500, {}, b"\x00\x1b[31mboom\xff"), "boom"),
    ],
)
def test_an_answer_that_is_none_is_told_in_one_printable_line(fake: Fake, answer: Answer, told: str) -> None:
    fake.answers = [answer]
    with pytest.raises(QueryError, match=told) as caught:
        client(fake).instant("up", 0.0)
    assert str(caught.value).isprintable()


def test_a_server_that_is_not_there_is_an_error_with_its_address() -> None:
    with pytest.raises(QueryError, match=r"http://127.0.0.1:9: cannot be reached .*; check the address"):
        Prometheus(access("http://127.0.0.1:9", {})).instant("up", 0.0)


def test_sentinels_and_what_is_no_number_are_no_readings(fake: Fake) -> None:
    values = [[1.0, "9223372036854775794"], [2.0, "NaN"], [3.0, "+Inf"], [4.0, "5"], [5.0, "9223372036854775807"]]
    fake.answers = [success([{"metric": {}, "values": values}])]
    assert client(fake).raw("up{}", 0.0, 9.0)[0].samples == [(4.0, 5.0)]


# PromQL

HOSTILE = ['a"} or vector(1) #', "a\\", 'x",y="', "(.*)", "a|b", "[", "π-1"]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_stays_inside_its_quotes(value: str) -> None:
    for matcher in (equals("pod", value), any_of("pod", [value]), hosts_like("node", [value]), differs("pod", value)):
        quoted = matcher.rsplit("~" if "~" in matcher else "=", 1)[1].removeprefix('"')
        inner = quoted[:-1] if quoted.endswith('"') else quoted
        assert '"' not in inner.replace("\\\\", "").replace('\\"', "")


def test_nothing_is_escaped_that_means_nothing_so_that_a_server_looks_values_up() -> None:
    assert any_of("UUID", ["GPU-a 1", "b.c"]) == 'UUID=~"GPU-a 1|b\\\\.c"'


@given(st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20))
def test_no_text_closes_a_string_of_promql(value: str) -> None:
    if not value.isprintable():
        return
    text = equals("pod", value)
    body = text.removeprefix('pod="').removesuffix('"')
    rest = body.replace("\\\\", "")
    assert rest.count('"') == rest.count('\\"')
    assert not rest.replace('\\"', "").endswith("\\")


@pytest.mark.parametrize("value", ["", "a\nb", "a\x00", "x" * 2000])
def test_what_cannot_be_a_value_of_a_label_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="pod"):
        equals("pod", value)


def test_names_of_metrics_and_labels_are_checked() -> None:
    assert selector("node:power", 'a="b"') == 'node:power{a="b"}'
    with pytest.raises(InputError, match="is no metric's name"):
        selector("up{}", "")
    with pytest.raises(InputError, match="is no label's name"):
        equals("a b", "c")


# small things


def test_durations_are_whole_milliseconds() -> None:
    assert milliseconds(3720.5) == "3720500ms"
    assert milliseconds(0.0) == "1ms"


def test_calls_run_a_few_at_a_time_and_answer_in_their_order() -> None:
    under_way, most = [0], [0]
    lock = threading.Lock()

    def call(number: int) -> int:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        with lock:
            under_way[0] -= 1
        return number

    assert list(in_order([lambda n=n: call(n) for n in range(50)], 3)) == list(range(50))  # type: ignore[misc]
    assert most[0] <= 3


def test_parts_of_one_series_are_one(fake: Fake) -> None:
    fake.answers = [success([{"metric": {"a": "b"}, "values": [[2.0, "2"], [3.0, "3"]]}])]
    later = client(fake).raw("up{}", 0.0, 9.0)
    fake.answers = [success([{"metric": {"a": "b"}, "values": [[1.0, "1"], [2.0, "2"]]}])]
    earlier = client(fake).raw("up{}", 0.0, 9.0)
    (whole,) = joined((*later, *earlier))
    assert whole.samples == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]


# large answers, in columns

_ROWS = st.lists(
    st.tuples(
        st.dictionaries(st.text(max_size=8), st.text(max_size=12), max_size=4),
        st.lists(st.tuples(st.integers(0, 2 * 10**12), st.floats(allow_nan=False)), min_size=1, max_size=5),
    ),
    max_size=4,
)


@given(_ROWS, st.booleans())
def test_columns_are_what_json_says(rows: list[Any], is_ascii: bool) -> None:
    result = [{"metric": labels, "values": [[ms / 1000, str(value)] for ms, value in pairs]} for labels, pairs in rows]
    answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    found = columns_of(json.dumps(answer, separators=(",", ":"), ensure_ascii=is_ascii))
    assert found is not None
    assert [labels for labels, _, _ in found] == [labels for labels, _ in rows]
    for (_, times, values), (_, pairs) in zip(found, rows, strict=True):
        assert list(times) == [ms / 1000 for ms, _ in pairs]
        assert list(values) == [value for _, value in pairs]


@given(st.text(max_size=60))
def test_columns_of_anything_else_are_none(text: str) -> None:
    assert columns_of(text) is None
    assert columns_of('{"status":"success","data":{"resultType":"matrix","result":[' + text + "]}}") in (None, [])


def test_columns_come_from_servers_that_write_json_in_another_way(fake: Fake) -> None:
    series = {"metric": {"UUID": "a"}, "values": [[1.0, "2"], [2.5, "NaN"]]}
    fake.answers = [success([series]), success([series], warnings=["half of it"]), success([POINT]), success("x")]
    one = client(fake)
    ((labels, times, values),) = one.columns("up[5m]", 3.0)
    assert (labels, list(times), values[0], math.isnan(values[1])) == ({"UUID": "a"}, [1.0, 2.5], 2.0, True)
    assert list(one.columns("up", 3.0, 1.0, 1.5)[0][1]) == [1.0, 2.5]
    assert fake.asked[1][0].endswith("/query_range")
    assert list(one.warnings) == ["half of it"]
    assert one.columns("up", 3.0) == [({"UUID": "a"}, array("d", [1.0]), array("d", [2.0]))]
    with pytest.raises(QueryError, match="something else than series"):
        one.columns("up", 3.0)


def test_label_sets_are_asked_for_without_samples(fake: Fake) -> None:
    rows = {"status": "success", "data": [{"__name__": "up", "UUID": "a"}]}
    fake.answers = [(200, {}, json.dumps(rows).encode()), success([POINT])]
    one = client(fake)
    assert one.labels(["up", "down"], 1.0, 2.0) == [{"__name__": "up", "UUID": "a"}]
    assert fake.asked[0][0].endswith("/series")
    with pytest.raises(QueryError, match="something else than series"):
        one.labels(["up"], 1.0, 2.0)
