"""A client of Prometheus' HTTP API, and of what speaks it: Thanos, Mimir, VictoriaMetrics.

What a server refuses as too much is asked again in halves; what it cannot answer just now, a few times more.
No message holds a header, and no redirect is followed: it would carry credentials to wherever it leads.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from typing import Any
from urllib import error as web_error
from urllib import request as web

from footprint.errors import QueryError
from footprint.fleet.access import Access
from footprint.fleet.connections import Connections
from footprint.fleet.queries import pattern
from footprint.fleet.remote_read import HEADERS as KEPT_HEADERS
from footprint.fleet.remote_read import Kept, kept_of, request
from footprint.units import MILLISECONDS_PER_S
from footprint.version import __version__

__all__ = ["MOST_POINTS", "Columns", "Prometheus", "Series", "in_order", "milliseconds"]

MOST_POINTS = 10_000
"""Of one series in one answer; servers refuse more than 11,000."""

BLANK = 2.0**63
"""DCGM's sentinels lie just below it and are no readings; as floats they are this."""

_MOST_ANSWER_BYTES = 2**28
_MOST_TOLD = 300
_TRIES = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 20.0
MOST_AT_ONCE = 6
"""Requests under way, whatever asks: a server of metrics serves others too."""

_BUSY = (429, 502, 503, 504)
_TOO_MUCH = (
    "too many samples", "maximum resolution of 11,000", "exceeded sample limit", "max-samples", "too many points",
    "maximum number of chunks", "maximum number of series", "limit: 11000", "exceeds limit", "err-mimir-max",
    "timed out in expression evaluation", "too many unique", "-search.max",
)  # fmt: skip

_THANOS = {"partial_response": "false", "max_source_resolution": "0s", "dedup": "true"}
"""No half answers, nothing downsampled, replicas joined; others pass over what they do not know."""


_NOT_KEPT = "the server hands out nothing as it keeps it"

Read = Callable[[bytes], Any]
KeptAnswer = tuple[bytes, list[Kept]]

Columns = tuple[dict[str, str], "array[float]", "array[float]"]
"""Labels, moments and values: arrays, which the collector of garbage need not look through."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: readings in order of time, without those that are none."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]  # seconds since 1970, value


class _Stay(web.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Prometheus:
    """Asks one server; may be shared by threads.

    Parameters
    ----------
    access : address and headers
    timeout_s : seconds, for one answer
    pause : waits some seconds before a try is repeated
    """

    def __init__(self, access: Access, *, timeout_s: float = 130.0, pause: Callable[[float], object] = time.sleep):
        self.access, self.address = access, access.address
        self._headers = access.headers
        self.timeout_s, self._pause = timeout_s, pause
        self._connections = Connections()
        self._opener = web.build_opener(_Stay, self._connections)
        self._hands_out_kept = True
        self._lock, self._room = threading.Lock(), threading.BoundedSemaphore(MOST_AT_ONCE)
        self.requests_count = 0
        self.samples_count = 0
        self.warnings: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"Prometheus({self.address!r})"

    def instant(self, promql: str, at_s: float) -> list[Series]:
        """An instant query: one value a series, or, of a range selector, its raw samples."""
        return self._query("query", {"query": promql, "time": f"{at_s:.3f}"})

    def columns(self, promql: str, at_s: float, since_s: float | None = None, step_s: float = 0.0) -> list[Columns]:
        """Label sets, each with its moments and values: at a moment, or by steps since another.

        For large answers of which little is read: with what is no reading still in it.
        """
        name, asked = "query", {"query": promql, "time": f"{at_s:.3f}"}
        if since_s is not None:
            name = "query_range"
            asked = {"query": promql, "start": f"{since_s:.3f}", "end": f"{at_s:.3f}", "step": f"{step_s:.3f}"}
        return self._rows(name, asked, step_s)

    def _columns(self, text: bytes, step_s: float) -> list[Columns] | None:
        """As servers write it without a space; else as any JSON."""
        found = columns_of(text.decode("utf-8", "replace"), step_s)
        if found is not None:
            return found
        data = self._data(text)
        try:
            rows = [(row["metric"], row["values"] if "values" in row else [row["value"]]) for row in data["result"]]
            return [
                (labels, array("d", (at_s for at_s, _ in pairs)), array("d", (float(value) for _, value in pairs)))
                for labels, pairs in rows
            ]
        except (KeyError, TypeError, ValueError):
            return None

    def raw(self, selector: str, started_s: float, ended_s: float) -> list[Series]:
        """Every sample as it was scraped; windows that the server finds too long are halved."""
        span_s = ended_s - started_s
        try:
            return self.instant(f"{selector}[{milliseconds(span_s)}]", ended_s)
        except QueryError as error:
            if not error.is_too_much or span_s <= 1:
                raise
        middle_s = started_s + span_s / 2
        return joined((*self.raw(selector, started_s, middle_s), *self.raw(selector, middle_s, ended_s)))

    def steps(self, promql: str, started_s: float, ended_s: float, step_s: float) -> list[Series]:
        """A range query, in as many requests as its points need."""
        most_s = step_s * (MOST_POINTS - 1)
        found: list[Series] = []
        begun_s = started_s
        while begun_s <= ended_s:
            until_s = min(begun_s + most_s, ended_s)
            asked = {"query": promql, "start": f"{begun_s:.3f}", "end": f"{until_s:.3f}", "step": f"{step_s:.3f}"}
            found += self._query("query_range", asked)
            begun_s += step_s * MOST_POINTS
        return joined(found)

    def labels(self, selectors: Sequence[str], started_s: float, ended_s: float) -> list[dict[str, str]]:
        """The label sets of series that may have samples in a window; no sample is read for it."""
        form: dict[str, str | list[str]] = {"match[]": list(selectors)}
        form |= {"start": f"{started_s:.3f}", "end": f"{ended_s:.3f}", "partial_response": "false", "dedup": "true"}
        data = self._ask("series", form)
        if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
            raise QueryError(self.address, "answers with something else than series", "give the address of Prometheus")
        return [{str(name): str(value) for name, value in row.items()} for row in data]

    def flags(self) -> dict[str, str]:
        """The server's own settings; none where it does not tell them."""
        try:
            data = self._ask("status/flags", None)
        except QueryError:
            return {}
        return {str(name): str(value) for name, value in data.items()} if isinstance(data, dict) else {}

    def _query(self, name: str, asked: Mapping[str, str]) -> list[Series]:
        return [
            Series(labels, [(at_s, value) for at_s, value in zip(times, values, strict=True) if _is_reading(value)])
            for labels, times, values in self._rows(name, asked)
        ]

    def _rows(self, name: str, asked: Mapping[str, str], step_s: float = 0.0) -> list[Columns]:
        found: list[Columns] | None = self._ask(name, {**asked, **_THANOS}, lambda text: self._columns(text, step_s))
        if found is None:
            raise QueryError(self.address, "answers with something else than series", "give the address of Prometheus")
        with self._lock:
            self.samples_count += sum(len(times) for _, times, _ in found)
        return found

    def kept(
        self, metrics: Iterable[str], label: str, values: Iterable[str], since_s: float, until_s: float
    ) -> KeptAnswer:
        """The series of metrics with a label of some values from a moment until another, as the server keeps them: an
        answer, and what lies where in it.

        Raises
        ------
        ValueError
            When the server does not hand them out; it is not asked again.
        """
        if not self._hands_out_kept:
            raise ValueError(_NOT_KEPT)
        since_ms, until_ms = (round(one * MILLISECONDS_PER_S) for one in (since_s, until_s))
        asked = request(metrics, label, pattern(label, values), since_ms, until_ms - 1)
        try:
            answer: bytes = self._ask("read", asked, bytes)
            return answer, list(kept_of(answer))
        except (QueryError, ValueError):  # what else is wrong with it, it says to a query
            self._hands_out_kept = False
            raise ValueError(_NOT_KEPT) from None

    def _ask(self, name: str, form: Mapping[str, str | list[str]] | bytes | None, read: Read | None = None) -> Any:
        """Try it until the server answers; `form` is sent in a body, for selectors of many devices are long."""
        headers = {"Accept": "application/json", "User-Agent": f"footprint/{__version__}", **self._headers}
        body = form if form is None or isinstance(form, bytes) else _encoded(form)
        headers |= KEPT_HEADERS if isinstance(form, bytes) else {}
        asked = web.Request(f"{self.address}/api/v1/{name}", data=body, headers=headers)
        pause_s = _FIRST_PAUSE_S
        for left in reversed(range(_TRIES)):
            try:
                return (read or self._data)(self._once(asked))
            except QueryError as error:
                is_passing = error.status in _BUSY and not error.is_too_much
                if not is_passing or not left:
                    raise
            self._pause(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        raise AssertionError

    def count(self, requests_count: int) -> None:
        """Requests that were sent, by this process or another."""
        with self._lock:
            self.requests_count += requests_count

    def _once(self, asked: web.Request) -> bytes:
        self.count(1)
        try:
            with self._room, self._opener.open(asked, timeout=self.timeout_s) as answer:
                text = answer.read(_MOST_ANSWER_BYTES + 1)
                self._connections.hand_back(answer)
        except web_error.HTTPError as error:
            with error:
                raise self._refused(error.code, error.read(_MOST_TOLD * _MOST_TOLD)) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            told = "does not answer in time" if isinstance(reason, TimeoutError) else f"cannot be reached ({reason})"
            raise QueryError(self.address, told, "check the address and that it runs") from None
        if len(text) > _MOST_ANSWER_BYTES:
            raise QueryError(self.address, "answers with too much", is_too_much=True)
        return bytes(text)

    def _data(self, text: bytes) -> Any:
        try:
            answer = json.loads(text)
            status = answer["status"]
        except (ValueError, TypeError, KeyError):
            raise QueryError(
                self.address, "does not speak Prometheus' HTTP API", "give the address below which /api/v1 is"
            ) from None
        for told in answer.get("warnings") or ():
            with self._lock:
                self.warnings[_line(str(told))] = None
        if status != "success":
            raise self._error(str(answer.get("error", "")), None)
        return answer.get("data")

    def _refused(self, code: int, text: bytes) -> QueryError:
        if code in (401, 403):
            told = f"refuses (HTTP {code})"
            fix = "set FOOTPRINT_PROMETHEUS_TOKEN_FILE, or _USER and _PASSWORD_FILE; _ORG for a tenant"
            return QueryError(self.address, told, fix, status=code)
        if code in (301, 302, 303, 307, 308):
            return QueryError(self.address, f"sends elsewhere (HTTP {code})", "give the address it leads to")
        if code in (404, 405):
            told = f"has no query API there (HTTP {code})"
            return QueryError(self.address, told, "give the address below which /api/v1 is", status=code)
        try:
            problem = str(json.loads(text)["error"])
        except (ValueError, TypeError, KeyError):
            problem = text.decode("utf-8", "replace")
        return self._error(problem, code)

    def _error(self, problem: str, code: int | None) -> QueryError:
        is_too_much = any(word in problem for word in _TOO_MUCH)
        told = f"refuses the query{'' if code is None else f' (HTTP {code})'}: {_line(self._shown(problem))}"
        return QueryError(self.address, told.rstrip(": "), status=code, is_too_much=is_too_much)

    def _shown(self, text: str) -> str:
        """Without a secret, should a server send it back."""
        for value in self._headers.values():
            for secret in (value, value.partition(" ")[2]):  # the whole before its part
                text = text.replace(secret, "***") if secret else text
        return text


def _encoded(form: Mapping[str, str | list[str]]) -> bytes:
    """As urllib writes it, which looks at each letter."""
    pairs = [(name, one) for name, told in form.items() for one in ([told] if isinstance(told, str) else told)]
    return b"&".join(_quoted(name) + b"=" + _quoted(value) for name, value in pairs)


def _quoted(text: str) -> bytes:
    return _STRANGE.sub(lambda found: b"%%%02X" % found[0][0], text.encode())


_STRANGE = re.compile(rb"[^A-Za-z0-9_.~-]")
_HEAD = re.compile(r'\{"status":"success","data":\{"resultType":"matrix","result":\[')
_VALUES = ',"values":[['


@lru_cache(2**14)
def _labels(text: str) -> dict[str, str]:
    """Of a series, which comes in many answers: read, and never written."""
    pairs = [pair.partition('":"') for pair in text[2:-2].split('","')]
    if text[:2] == '{"' and text[-2:] == '"}' and "\\" not in text and all(mark for _, mark, _ in pairs):
        return {name: value for name, _, value in pairs}
    return {str(name): str(value) for name, value in json.loads(text).items()}


def columns_of(text: str, step_s: float = 0.0) -> list[Columns] | None:
    """A matrix that is written without a space, several times faster than JSON; None for any other answer.

    Where moments are steps without a hole, only the first and the last are read.
    """
    head = _HEAD.match(text)
    if head is None or not text.endswith("]}}"):
        return None
    found: list[Columns] = []
    at, end = head.end(), len(text) - 3
    try:
        while at < end:
            if not text.startswith('{"metric":', at):
                return None
            begun, at = at + 10, text.index(_VALUES, at)  # no label holds it: quotes in labels are escaped
            until = text.index("]]}", at)
            pairs = text[at + 12 : until].split('"')  # a moment, its value, and again; then nothing
            if pairs[-1] or len(pairs) < 2:
                return None
            found.append((_labels(text[begun:at]), _moments(pairs[:-1:2], step_s), array("d", map(float, pairs[1::2]))))
            at = until + 4  # and a comma, but for the last
    except (AttributeError, ValueError):
        return None
    return found if at == end + 1 or not found else None


def _moments(told: list[str], step_s: float) -> array[float]:
    first_s, last_s, count = float(told[0][:-1]), float(told[-1].strip("],[")), len(told)
    if step_s and last_s - first_s == (count - 1) * step_s:
        return array("d", [first_s + place * step_s for place in range(count)])
    return array("d", (float(one.strip("],[")) for one in told))


def _is_reading(value: float) -> bool:
    return math.isfinite(value) and abs(value) < BLANK


def _line(text: str) -> str:
    """Text of a server's in one line."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:_MOST_TOLD]


def milliseconds(span_s: float) -> str:
    """A duration as PromQL writes it."""
    return f"{max(round(span_s * MILLISECONDS_PER_S), 1)}ms"


def joined(parts: Iterable[Series]) -> list[Series]:
    """Series whose labels are the same as one, in order of time, each reading once."""
    found: dict[tuple[tuple[str, str], ...], list[Series]] = {}
    for one in parts:
        found.setdefault(tuple(sorted(one.labels.items())), []).append(one)
    return [
        own[0] if len(own) == 1 else Series(own[0].labels, sorted({s for one in own for s in one.samples}))
        for own in found.values()
    ]


def in_order(calls: Iterable[Callable[[], Any]], workers_count: int = 4) -> Iterator[Any]:
    """Results of calls in their order, a few of them under way at a time: what waits to be taken stays bounded."""
    with ThreadPoolExecutor(workers_count) as pool:
        waiting: list[Future[Any]] = []
        try:
            for call in calls:
                waiting.append(pool.submit(call))
                if len(waiting) > workers_count:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for one in waiting:
                one.cancel()
