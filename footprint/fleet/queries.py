"""PromQL as text: whatever a user or a scheduler names is quoted here, and nowhere else put into a query."""

from __future__ import annotations

import re
from collections.abc import Iterable

from footprint.errors import InputError

__all__ = ["any_of", "differs", "equals", "hosts_like", "pattern", "selector"]

_NAME = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_]*$")
_METRIC = re.compile(r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
_LONGEST_VALUE = 1024
_SPECIAL = {ord(letter): "\\" + letter for letter in r"\.+*?()|[]{}^$"}
"""Letters that mean something in the server's patterns. Where no other is escaped, a server looks its values up;
else it tries a pattern on every value that there is."""

_DOMAIN_OR_PORT = r"([.:].*)?"


def _quoted(value: str) -> str:
    """A string of PromQL."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _checked(label: str, value: str) -> str:
    if not value or len(value) > _LONGEST_VALUE or not value.isprintable():
        raise InputError(label, value, f"must be 1 to {_LONGEST_VALUE} printable characters", "check what is named")
    return value


def _literal(label: str, value: str) -> str:
    """A pattern of one value."""
    return _checked(label, value).translate(_SPECIAL)


def _label(name: str) -> str:
    if not _NAME.match(name):
        raise InputError("label", name, "is no label's name", "write letters, digits and _")
    return name


def equals(label: str, value: str) -> str:
    """A matcher of one value."""
    return f"{_label(label)}={_quoted(_checked(label, value))}"


def differs(label: str, *values: str) -> str:
    """A matcher of what has the label, with none of some values."""
    rest = "|".join(_literal(label, value) for value in values)
    told = f'{_label(label)}!=""'
    return f"{told},{label}!~{_quoted(rest)}" if rest else told


def any_of(label: str, values: Iterable[str]) -> str:
    """A matcher of any of some values; each is taken as it stands."""
    return f"{_label(label)}=~{_quoted(pattern(label, values))}"


def pattern(label: str, values: Iterable[str]) -> str:
    """What fits any of some values of a label, each as it stands."""
    return "|".join(_literal(label, value) for value in values)


def hosts_like(label: str, hosts: Iterable[str]) -> str:
    """A matcher of hosts, with or without their domain and a port."""
    return f"{_label(label)}=~{_quoted(f'({pattern(label, hosts)}){_DOMAIN_OR_PORT}')}"


def selector(metric: str, *matchers: str) -> str:
    """A metric with its matchers."""
    if not _METRIC.match(metric):
        raise InputError("metric", metric, "is no metric's name", "write letters, digits, _ and :")
    return f"{metric}{{{','.join(matchers)}}}"
