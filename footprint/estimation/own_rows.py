"""A user's table of runs, read: words of a plan, and the one measure of what each run reached."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from footprint.errors import DataError, InputError, close_names
from footprint.estimation import words as read

HOURS, WALL_CLOCK, TOKENS_PER_S, MFU = "accelerator_hours", "wall_clock_h", "tokens_per_s_per_accelerator", "mfu"
MEASURES = (HOURS, WALL_CLOCK, TOKENS_PER_S, MFU)
STEADY = (TOKENS_PER_S, MFU)
NUMBERS = ("params", "active_params", "tokens", "count", "seq_len", "batch_tokens", "year", *MEASURES)
NAMES = ("name", "model", "config", "accelerator", "precision", "optimizer", "framework", "layout")
COLUMNS = (
    "name", "model", "config", "params", "active_params", "tokens", "accelerator", "count", "seq_len", "batch_tokens",
    "precision", "optimizer", "framework", "layout", "year", *MEASURES,
)  # fmt: skip
OTHER_NAMES = {
    "accelerator_count": "count", "global_batch_tokens": "batch_tokens", "accelerator_tokens_per_s": TOKENS_PER_S,
    "reported_mfu": MFU, "gpu_hours": HOURS, "id": "name",
}  # fmt: skip
"""Columns of this project's own tables, and one that everybody writes."""
GROUPED = re.compile(r"[^,]*\b\d{1,3}(,\d{3})+(\.\d+)?\b[^,]*")
EXAMPLE = """\
name,params,tokens,accelerator,count,seq_len,batch_tokens,precision,framework,year,accelerator_hours,\
tokens_per_s_per_accelerator
my-7b-whole-run,6.9B,2T,h100-sxm,256,4096,4M,bf16,megatron-lm,2025,61.5k,
my-13b-one-hour,13B,,h100-sxm,64,8192,2M,bf16,torchtitan,2025,,5200
"""
"""A header and two runs: one by the hours of all of it, one by its steady rate."""
SEE_EXAMPLE = "footprint calibrate --example prints a header and two rows"


@dataclass(frozen=True, slots=True)
class OwnRow:
    """One run as a user wrote it."""

    path: str
    line: int
    name: str
    words: Mapping[str, Any]
    measure: str
    value: float

    @property
    def is_steady(self) -> bool:
        """Whether it tells of a rate while training, not of a whole run."""
        return self.measure in STEADY

    def error(self, column: str | None, problem: str) -> DataError:
        """What is wrong with it, and where."""
        return DataError(self.path, self.line, column, problem)


@dataclass(frozen=True, slots=True)
class Runs:
    """The rows of a table of runs, each read or with what is wrong with it."""

    path: str
    source: str  # its name alone
    rows: tuple[OwnRow | DataError, ...]


def read_runs(source: str | Path | Iterable[Mapping[str, Any]]) -> Runs:
    """The runs of a CSV file, or of mappings with the same words.

    Raises
    ------
    InputError
        When the file does not exist.
    DataError
        For a file that is no table of runs. What is wrong with a single row stands in its place.
    """
    if isinstance(source, (str, Path)):
        file = Path(source)
        path, name, folder, lines = str(source), file.name, file.parent, _lines(file)
    else:
        path = name = "own runs"
        folder, lines = Path(), [(i, _named(one, path, i)) for i, one in enumerate(source, 1)]
    if not lines:
        raise DataError(path, None, None, f"has no runs; {SEE_EXAMPLE}")
    return Runs(path, name, tuple(_read(path, line, cells, folder) for line, cells in lines))


def _read(path: str, line: int, cells: Mapping[str, Any] | DataError, folder: Path) -> OwnRow | DataError:
    try:
        return cells if isinstance(cells, DataError) else _row(path, line, cells, folder)
    except DataError as error:
        return error


def _lines(path: Path) -> list[tuple[int, Mapping[str, Any] | DataError]]:
    """Rows as cells by column, with the line on which each ends; a row of another length is its error."""
    text = _text(path)
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        table = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(path, reader.line_num or None, None, f"is not CSV ({error}); check the quotes") from error
    if not table:
        raise DataError(path, 1, None, f"is empty; {SEE_EXAMPLE}")
    (first, names), *rows = table
    header = _header(path, first, names)
    found: list[tuple[int, Mapping[str, Any] | DataError]] = []
    for line, row in rows:
        if len(row) != len(header):
            problem = f"has {len(row)} cells, the header has {len(header)}; put a cell that holds commas in quotes"
            found.append((line, DataError(path, line, None, problem)))
            continue
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=True) if cell.strip()}
        found.append((line, _without_decimal_commas(path, line, cells, delimiter)))
    return found


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            "runs", str(path), f"cannot be read ({error.strerror})", f"name a CSV file; {SEE_EXAMPLE}"
        ) from error
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(path, 1, None, "is UTF-16; save it as CSV in UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(path, line, None, "is not UTF-8; save it as CSV in UTF-8") from error
    if "\0" in text:
        raise DataError(path, None, None, "is not text; save it as CSV in UTF-8")
    return text


def _delimiter(text: str) -> str:
    """Commas; semicolons or tabs where the header has those and no comma."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return next((sign for sign in (",", ";", "\t") if sign in header), ",")


def _header(path: Path, line: int, names: Sequence[str]) -> list[str]:
    header: list[str] = []
    for written in names:
        name = _column(written)
        if name not in COLUMNS:
            raise DataError(path, line, written.strip() or None, _unknown(name, header))
        if name in header:
            raise DataError(path, line, written.strip(), f"{name} stands twice in the header; keep one")
        header.append(name)
    if not set(header) & set(MEASURES):
        raise DataError(path, line, None, f"has no column of what was reached; add one of {', '.join(MEASURES)}")
    return header


def _column(written: str) -> str:
    name = re.sub(r"[\s-]+", "_", written.strip().casefold())
    return OTHER_NAMES.get(name, name)


def _unknown(name: str, taken: Sequence[str]) -> str:
    if not name:
        return "a column has no name; name it or take it out"
    near = close_names(name, [column for column in COLUMNS if column not in taken])
    hint = f"did you mean {' or '.join(near)}?" if near else f"the columns are {', '.join(COLUMNS)}"
    return f"is not a known column; {hint}"


def _without_decimal_commas(path: Path, line: int, cells: dict[str, str], delimiter: str) -> dict[str, str] | DataError:
    """The cells; or the error of a number whose comma may be a decimal point."""
    for name, cell in cells.items():
        if name in NUMBERS and "," in cell and (delimiter != "," or not GROUPED.fullmatch(cell)):
            problem = f"{cell!r} has a comma; write a point for decimals, and no sign between thousands"
            return DataError(path, line, name, problem)
    return cells


def _named(given: Mapping[str, Any], path: str, line: int) -> dict[str, Any] | DataError:
    found: dict[str, Any] = {}
    for written, value in given.items():
        name = _column(str(written))
        if name not in COLUMNS:
            return DataError(path, line, str(written), _unknown(name, ()))
        if value is not None and value != "":
            found[name] = value
    return found


def _row(path: str, line: int, cells: Mapping[str, Any], folder: Path) -> OwnRow:
    stated = [name for name in MEASURES if name in cells]
    if not stated:
        raise DataError(path, line, None, f"states nothing that was reached; fill one of {', '.join(MEASURES)}")
    if len(stated) > 1:
        raise DataError(path, line, stated[1], f"is given beside {stated[0]}; keep one measure a row")
    (measure,) = stated
    words = {name: value for name, value in cells.items() if name not in ("name", *MEASURES)}
    row = OwnRow(path, line, str(cells.get("name") or cells.get("model") or f"line {line}"), words, measure, 0.0)
    _check_enough(row)
    if "config" in words and not isinstance(words["config"], Mapping):
        words["config"] = folder / str(words["config"])
    return OwnRow(path, line, row.name, words, measure, _value(row, cells[measure]))


def _check_enough(row: OwnRow) -> None:
    """Refuse a row of which no plan can be made."""
    words = row.words
    if "model" not in words:
        if "accelerator" not in words:
            raise row.error("accelerator", "is empty; name one such as h100-sxm, see: footprint catalog accelerators")
        if "params" not in words and "config" not in words:
            raise row.error("params", "is empty; give params such as 7B, a config, or a model of the catalog")
        if "tokens" not in words and not row.is_steady:
            raise row.error("tokens", f"is empty, and {row.measure} tells of a whole run; give its tokens, such as 2T")
    if row.measure == WALL_CLOCK and "count" not in words:
        raise row.error("count", "is empty; wall_clock_h needs it, or give accelerator_hours")


def _value(row: OwnRow, written: Any) -> float:
    """The measure as a number: hours over all accelerators, tokens/s of one, or a share."""
    try:
        if row.measure == MFU:
            return read.ranged(MFU, read.quantity(MFU, written)).mid
        value = read.quantity(row.measure, written)
        return value * read.whole("count", row.words["count"]) if row.measure == WALL_CLOCK else value
    except InputError as error:
        raise told(row, error) from error


def told(row: OwnRow, error: InputError) -> DataError:
    """An error of a plan's word as one of the row that states it, in the words of a table."""
    field = error.field.split(" ")[0]
    column = field if field in COLUMNS else None
    value = "" if error.value is None else f"{error.value!r} "
    fix = re.sub(r"--([a-z]+)(?:-([a-z]+))?", lambda m: "_".join(filter(None, m.groups())), error.fix)
    subject = "" if column else f"{error.field} "
    return row.error(column, f"{subject}{value}{error.bound}; {fix}")
