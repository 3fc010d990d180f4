"""Which devices a job had: by a label of its own on their series, or by hosts and places on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from footprint.errors import InputError
from footprint.fleet.families import FAMILIES, HOST_LABELS, INSTANCE, JOB_LABELS, PROFILE, Family, pod_labels
from footprint.fleet.prometheus import Prometheus, Series, in_order, milliseconds
from footprint.fleet.queries import any_of, equals, hosts_like

__all__ = [
    "Device",
    "Job",
    "Labels",
    "devices_of",
    "host_list",
    "host_of",
    "is_own",
    "job_labels",
    "place_list",
    "slices",
]

Labels = Mapping[str, str]
MOST_HOSTS = 100_000
_HOSTS_A_QUERY = 200
_SLICES = re.compile(r"^(\d+)(?:c\.\d+)?g")
_PLACE = re.compile(r"\d+(?:\.\d+)?|[A-Za-z]{2}\w*-[\w./:-]+|[0-9A-Fa-fx]{8}[\w-]*")
_NODE_GROUP = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Job:
    """What a scheduler knows of a job: all that is needed of one. Without an interval it is looked for by label."""

    id: str = ""
    name: str = ""
    user: str = ""
    account: str = ""
    project: str = ""
    started_utc_s: float | None = None
    ended_utc_s: float | None = None
    hosts: tuple[str, ...] = ()
    devices_by_host: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # places as "0", instances as "0.7"
    pod: str = ""
    namespace: str = ""
    container: str = ""
    status: str = "finished"


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a job, as its series name it."""

    uuid: str
    family: Family
    host: str
    place: str
    model: str
    instances: tuple[str, ...] = ()  # of it, that are the job's; none: all of it
    marks: tuple[Labels, ...] = ()  # that its series bear while the job has it; none: found by host


def job_labels(job: Job) -> tuple[dict[str, str], ...]:
    """The label sets that mark a job's series, in every form; none where nothing marks them."""
    if job.pod or job.namespace:
        return pod_labels({"pod": job.pod, "namespace": job.namespace, "container": job.container})
    return tuple({label: job.id} for label in JOB_LABELS) if job.id else ()


def is_own(labels: Labels, marks: Sequence[Labels]) -> bool:
    """Whether a series bears one of the marks."""
    return any(all(labels.get(name) == value for name, value in mark.items()) for mark in marks)


def devices_of(
    job: Job, server: Prometheus, started_s: float, ended_s: float, pad_s: float = 0.0
) -> tuple[tuple[Device, ...], str]:
    """The job's devices, and how they were found; the first family and the surest label that have any win.

    By label where series bear one, else by hosts, as where a label is on some of them alone. A host without a word
    on its devices had all of them. About the interval is looked only where nothing is in it: there a label may be
    that of another start of the job, on other devices.
    """
    marked, how = _by_label(job, server, ended_s - started_s, ended_s)
    started_s, ended_s = started_s - pad_s, ended_s + pad_s
    span_s = ended_s - started_s
    if pad_s and not marked:
        marked, how = _by_label(job, server, span_s, ended_s)
    rest = tuple(host for host in job.hosts if host not in {device.host for device in marked})
    placed, where = _by_host(job, rest, server, span_s, ended_s) if rest else ((), "")
    return (*marked, *placed), " and ".join(told for told in (how, where) if told)


def _by_label(job: Job, server: Prometheus, span_s: float, ended_s: float) -> tuple[tuple[Device, ...], str]:
    forms = job_labels(job)
    matchers = [tuple(equals(name, value) for name, value in form.items()) for form in forms]
    for family, found in _found(matchers, server, span_s, ended_s):
        own = [form for form in forms if any(is_own(one.labels, (form,)) for one in found)]
        names = " and ".join(name for form in own for name in form)
        if devices := _devices(family, found, job, own):
            return devices, f"by label {names}"
    return (), ""


def _by_host(
    job: Job, hosts: Sequence[str], server: Prometheus, span_s: float, ended_s: float
) -> tuple[tuple[Device, ...], str]:
    """Hosts that one label or family does not know are asked for by the next: exporters of several versions."""
    chosen: list[Device] = []
    labels: dict[str, None] = {}
    seen: set[str] = set()
    for label in HOST_LABELS:
        rest = [host for host in hosts if host not in seen]
        groups = [rest[i : i + _HOSTS_A_QUERY] for i in range(0, len(rest), _HOSTS_A_QUERY)]
        for family, found in _found([(hosts_like(label, group),) for group in groups], server, span_s, ended_s):
            fresh = [one for one in found if host_of(one.labels, hosts) not in seen]
            devices = _devices(family, fresh, job, ())
            seen |= {host_of(one.labels, hosts) for one in fresh}
            chosen += devices
            labels |= dict.fromkeys([label] if devices else [])
    return tuple(chosen), f"by host, label {' and '.join(labels)}" if chosen else ""


def _found(
    marks: Iterable[Sequence[str]], server: Prometheus, span_s: float, ended_s: float
) -> Iterator[tuple[Family, list[Series]]]:
    """Label sets of series with samples in the window, the best family first.

    Grouped by the server: jobs and drivers that came and went make many series of one device.
    """
    names = {
        name: family
        for family in reversed(FAMILIES)
        for name in (family.counter, *family.powers[:1], family.utilization)
        if name
    }
    own = [label for family in FAMILIES for label in (family.uuid, family.index, family.model)]
    kept = dict.fromkeys(("__name__", *own, INSTANCE, PROFILE, *HOST_LABELS, *_marking()))

    def asked(mark: Sequence[str]) -> Callable[[], list[Series]]:
        inside = f"last_over_time({{{any_of('__name__', names)},{','.join(mark)}}}[{milliseconds(span_s)}])"
        return lambda: server.instant(f"count by ({', '.join(kept)}) ({inside})", ended_s)

    answers = [one for answer in in_order(asked(mark) for mark in marks) for one in answer]
    for family in FAMILIES:
        found = [one for one in answers if names.get(one.labels.get("__name__", "")) == family]
        if found:
            yield family, found


def _marking() -> Iterator[str]:
    yield from JOB_LABELS
    for form in pod_labels({"pod": "x", "namespace": "x", "container": "x"}):
        yield from form


def _devices(family: Family, found: Sequence[Series], job: Job, marks: Sequence[Labels]) -> tuple[Device, ...]:
    by_uuid: dict[str, list[Labels]] = {}
    for one in found:
        if one.labels.get(family.uuid):
            by_uuid.setdefault(one.labels[family.uuid], []).append(one.labels)
    devices = []
    for uuid, rows in by_uuid.items():
        hosts, places = job.hosts, job.devices_by_host
        host, place = host_of(rows[0], hosts), rows[0].get(family.index, "")
        own = {row[INSTANCE] for row in rows if row.get(INSTANCE)}
        if not marks and host in places:
            own, is_chosen = _chosen(own, place, uuid, places[host])
            if not is_chosen:
                continue
        elif not marks:
            own = set()
        model = next((row[family.model] for row in rows if row.get(family.model)), "accelerator")
        devices.append(Device(uuid, family, host, place, model, tuple(sorted(own)), tuple(marks)))
    return tuple(sorted(devices, key=lambda d: (d.host, len(d.place), d.place, d.uuid)))


def _chosen(own: set[str], place: str, uuid: str, wanted: Sequence[str]) -> tuple[set[str], bool]:
    """The instances of a device that are meant, and whether any of it is."""
    if place in wanted or uuid in wanted:
        return set(), True
    meant = {word.partition(".")[2] for word in wanted if word.partition(".")[0] == place and "." in word}
    return meant & own, bool(meant & own)


def host_of(labels: Labels, hosts: Sequence[str]) -> str:
    """The host of a series, as the job calls it."""
    told = next((labels[name] for name in HOST_LABELS if labels.get(name)), "")
    bare = re.sub(r":\d+$", "", told)
    if bare in hosts:
        return bare
    return next((host for host in hosts if re.match(rf"{re.escape(host)}[.:]", told)), bare)


def slices(profile: str) -> int:
    """Compute slices of a MIG instance: '3g.40gb' has 3, what is no profile 1."""
    match = _SLICES.match(profile)
    return int(match[1]) if match else 1


# words


def host_list(text: str) -> tuple[str, ...]:
    """'gpu[01-03,07],login1' as SLURM writes hosts.

    Raises
    ------
    InputError
        When brackets do not match, a span runs backwards, or there are too many.
    """
    found = [host for part in _split(text) for host in _expanded(part, text)]
    if not found or any(not host.strip() for host in found):
        raise InputError("host", text, "names no host", "write gpu01, or gpu[01-16]")
    return tuple(dict.fromkeys(host.strip() for host in found))


def _split(text: str) -> list[str]:
    """At commas outside brackets."""
    return re.split(r",(?![^\[]*\])", text)


def _expanded(part: str, whole: str) -> list[str]:
    match = _NODE_GROUP.search(part)
    if match is None:
        if "[" in part or "]" in part:
            raise InputError("host", whole, "has brackets that do not match", "write gpu[01-16]")
        return [part]
    found = []
    for number in _numbers("host", match[1], whole):
        found += _expanded(part[: match.start()] + number + part[match.end() :], whole)
        if len(found) > MOST_HOSTS:
            raise InputError("host", whole, f"names more than {MOST_HOSTS} hosts", "name fewer")
    return found


def place_list(text: str) -> tuple[str, ...]:
    """'0-3,5' or '0.7' (device 0, instance 7) as places on a host; a device's UUID is one too.

    Raises
    ------
    InputError
        When a word is none of these, or there is none.
    """
    found = tuple(dict.fromkeys(_numbers("gpus", text, text)))
    wrong = next((word for word in found if not _PLACE.fullmatch(word)), None)
    if not found or wrong is not None:
        told = "names no device" if wrong is None else f"has {wrong!r}, which is no place of a device"
        raise InputError("gpus", text, told, "write 0-3, 0,2, 0.7 for an instance, or UUIDs")
    return found


def _numbers(field: str, text: str, whole: str) -> list[str]:
    found: list[str] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})-(\d{1,9})\s*", part)
        if match:
            first, last = int(match[1]), int(match[2])
            if not first <= last < first + MOST_HOSTS:
                raise InputError(field, whole, "has a span that cannot be", "write the lower number first")
            width = len(match[1]) if match[1].startswith("0") else 0
            found += [f"{number:0{width}d}" for number in range(first, last + 1)]
        elif part.strip():
            found.append(part.strip())
    return found
