"""The tables, and the ordered steps that bring a database of any earlier version up to date."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, Connection, Double, Integer, MetaData, Table, Text, inspect, select, text

from footprint.errors import StoreError

METADATA = MetaData()

VERSION = Table("footprint_schema", METADATA, Column("version", Integer, primary_key=True))

RANGED = ("it_energy_kwh", "facility_energy_kwh", "operational_location_kgco2e", "total_location_kgco2e")
"""Quantities that stand in three columns each, as `three` names them; so does `electricity_usd`, where known."""


def three(field: str) -> tuple[str, str, str]:
    """The columns of a Range: low, mid, high."""
    return f"{field}_low", field, f"{field}_high"


RUNS = Table(
    "runs",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("tags", Text, nullable=False),  # a JSON list
    Column("status", Text, nullable=False),
    Column("started_utc_s", Double, nullable=False),
    Column("ended_utc_s", Double, nullable=False),
    Column("hosts", Text, nullable=False),  # a JSON list
    Column("accelerator", Text, nullable=False),
    Column("accelerator_count", Integer),
    Column("accelerator_hours", Double, nullable=False),
    *(Column(name, Double, nullable=False) for field in RANGED for name in three(field)),
    *(Column(name, Double) for name in three("electricity_usd")),
    Column("rental_usd", Double),
    Column("tokens", Double),
    Column("mfu", Double),
    Column("coverage_share", Double),
    Column("own_energy_share", Double, nullable=False),
    Column("own_hours_share", Double, nullable=False),
    Column("saved_utc_s", Double, nullable=False),
    Column("catalog_digest", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("evidence", Text),  # A to D; None: written before there were grades
    Column("journal_bytes", BigInteger),  # that the reading rests on; None: it was not read from journals
)
TAGS = Table(
    "run_tags",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
)
MONTHS = Table(
    "run_months",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("energy_share", Double, nullable=False),  # of the run's IT energy
)
DOCUMENTS = Table(
    "run_documents",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("body", Text, nullable=False),  # the Run, or the Footprint of a plan, as JSON
)
JOURNALS = Table(
    "run_journals",
    METADATA,
    Column("folder", Text, primary_key=True),  # with the host before it, where hosts may have folders of one name
    Column("run_id", Text),  # None: it could not be read
    Column("signature", Text, nullable=False),
    Column("problem", Text, nullable=False),
)

Migration = tuple[str, ...]
"""Statements that every database understands. What is released is never edited: the next version is appended."""

MIGRATIONS: tuple[Migration, ...] = (
    (
        """CREATE TABLE runs (
            id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, project TEXT NOT NULL, tags TEXT NOT NULL,
            status TEXT NOT NULL, started_utc_s DOUBLE PRECISION NOT NULL, ended_utc_s DOUBLE PRECISION NOT NULL,
            hosts TEXT NOT NULL, accelerator TEXT NOT NULL, accelerator_count INTEGER,
            accelerator_hours DOUBLE PRECISION NOT NULL,
            it_energy_kwh_low DOUBLE PRECISION NOT NULL, it_energy_kwh DOUBLE PRECISION NOT NULL,
            it_energy_kwh_high DOUBLE PRECISION NOT NULL,
            facility_energy_kwh_low DOUBLE PRECISION NOT NULL, facility_energy_kwh DOUBLE PRECISION NOT NULL,
            facility_energy_kwh_high DOUBLE PRECISION NOT NULL,
            operational_location_kgco2e_low DOUBLE PRECISION NOT NULL,
            operational_location_kgco2e DOUBLE PRECISION NOT NULL,
            operational_location_kgco2e_high DOUBLE PRECISION NOT NULL,
            total_location_kgco2e_low DOUBLE PRECISION NOT NULL, total_location_kgco2e DOUBLE PRECISION NOT NULL,
            total_location_kgco2e_high DOUBLE PRECISION NOT NULL,
            electricity_usd_low DOUBLE PRECISION, electricity_usd DOUBLE PRECISION,
            electricity_usd_high DOUBLE PRECISION,
            rental_usd DOUBLE PRECISION, tokens DOUBLE PRECISION, mfu DOUBLE PRECISION,
            coverage_share DOUBLE PRECISION,
            own_energy_share DOUBLE PRECISION NOT NULL, own_hours_share DOUBLE PRECISION NOT NULL,
            saved_utc_s DOUBLE PRECISION NOT NULL, catalog_digest TEXT NOT NULL, version TEXT NOT NULL
        )""",
        "CREATE INDEX runs_by_start ON runs (started_utc_s)",
        "CREATE INDEX runs_by_name ON runs (name)",
        "CREATE INDEX runs_by_project ON runs (project)",
        "CREATE TABLE run_tags (run_id TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (run_id, tag))",
        "CREATE INDEX run_tags_by_tag ON run_tags (tag)",
        """CREATE TABLE run_months (run_id TEXT NOT NULL, month TEXT NOT NULL,
            energy_share DOUBLE PRECISION NOT NULL, PRIMARY KEY (run_id, month))""",
        "CREATE TABLE run_documents (run_id TEXT PRIMARY KEY, body TEXT NOT NULL)",
        """CREATE TABLE run_journals (folder TEXT PRIMARY KEY, run_id TEXT, signature TEXT NOT NULL,
            problem TEXT NOT NULL)""",
        "CREATE INDEX run_journals_by_run ON run_journals (run_id)",
    ),
    ("ALTER TABLE runs ADD COLUMN journal_bytes BIGINT",),
    ("ALTER TABLE runs ADD COLUMN evidence TEXT",),
)

_LOCK = 0x666F6F74
"""One at a time changes the tables: the number of PostgreSQL's advisory lock, by which they are told apart."""


def version_of(connection: Connection) -> int:
    """How many of the migrations a database has seen; 0 for an empty one."""
    if not inspect(connection).has_table(VERSION.name):
        return 0
    return connection.execute(select(VERSION.c.version)).scalar() or 0


def migrate(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """The next migration of a database that lacks some, within the transaction that is open; the version it then has.

    Raises
    ------
    StoreError
        When a newer footprint wrote it.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    seen = check(connection, migrations)
    if seen == len(migrations):
        return seen
    if seen == 0:
        connection.execute(text("CREATE TABLE footprint_schema (version INTEGER PRIMARY KEY)"))
        connection.execute(VERSION.insert().values(version=0))
    for statement in migrations[seen]:
        connection.execute(text(statement))
    connection.execute(VERSION.update().values(version=seen + 1))
    return seen + 1


def check(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """The version of a database, which must not be newer than what is known here."""
    seen = version_of(connection)
    if seen > len(migrations):
        raise StoreError(
            f"the ledger has schema {seen}, written by a newer footprint (this one knows {len(migrations)}); "
            "upgrade with: pip install --upgrade footprint"
        )
    return seen
