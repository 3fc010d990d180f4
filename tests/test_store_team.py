"""A team's ledger on a real PostgreSQL: who gets in, who may do what, what is lost when it goes away (nothing)."""

from __future__ import annotations

import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import handmade_runs as handmade
import pytest
from postgres_server import OWNER, PASSWORD, Server
from sqlalchemy import URL, MetaData, Table, event, insert
from test_store import Reader, fill, journal_folder, several

from footprint import charts, store
from footprint.app.books import Books
from footprint.app.settings import Settings
from footprint.cli import main
from footprint.errors import MissingExtra, StoreError
from footprint.store import engines, postgres_engine, rows, schema
from footprint.store.entries import Filter
from footprint.store.ledger import Ledger

SECRET = "quite s3cret"
QUOTED = "quite%20s3cret"


@pytest.fixture
def team(postgres: Server) -> Iterator[Ledger]:
    """An empty ledger, opened by its owner."""
    with store.open_ledger(postgres.empty()) as opened:
        yield opened


@pytest.fixture
def database(postgres: Server) -> str:
    """A new database without tables."""
    return postgres.new()


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGCONNECT_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def role(server: Server, name: str, url: str, *, writes: bool = False) -> str:
    """The URL for a new role that was let in by the SQL that footprint prints."""
    database = str(engines.read_url(url).database)
    if not server.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"):
        server.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    with server.connected(database) as connection:
        connection.execute(store.grants([] if writes else [name], [name] if writes else []))
    return server.url(database, name)


# getting in


def test_both_spellings_of_the_url_are_taken(postgres: Server, team: Ledger) -> None:
    fill(team)
    with store.open_ledger(postgres.empty().replace("postgresql://", "postgres://")) as again:
        assert again.list() == ()


@pytest.mark.parametrize("how", ["PGPASSWORD", "PGPASSFILE", "~/.pgpass", "URL"])
def test_the_password_comes_from_the_environment_a_file_or_the_url(
    postgres: Server, database: str, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = postgres.tcp(database)
    if how == "URL":
        url = postgres.tcp(database, password="right p%40ss%2Fword")
    elif how == "PGPASSWORD":
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
    else:
        file = tmp_path / ".pgpass" if how == "~/.pgpass" else tmp_path / "secret"
        file.write_text(f"127.0.0.1:*:*:{OWNER}:{PASSWORD}\n")
        file.chmod(0o600)
        if how == "PGPASSFILE":
            monkeypatch.setenv("PGPASSFILE", str(file))
    with store.open_ledger(url) as ledger:
        assert ledger.list() == ()
        assert ledger.place == postgres.tcp(database)


def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://owner:{secret}@127.0.0.1:{port}/postgres", r"password authentication failed.*set PGPASSWORD"),
        ("postgresql://owner@127.0.0.1:{port}/postgres?password={secret}", "password authentication failed"),
        ("postgresql://owner@127.0.0.1:{port}/postgres", r"no password supplied.*~/.pgpass \(or the file that PGPASSF"),
        ("postgresql://owner:{secret}@/nowhere?host={folder}&port={port}", r'"nowhere" does not exist\); name one'),
        ("postgresql://who:{secret}@/postgres?host={folder}&port={port}", r'role "who" does not exist\); name another'),
        ("postgresql://owner:{secret}@no.such.host.invalid/team", r"cannot be reached .*; check the name of the host"),
        ("postgresql://owner:{secret}@127.0.0.1:{closed}/team", r"[Rr]efused.*check host and port.*in the journals"),
        ("postgresql://owner:{secret}@127.0.0.1:{closed}/te%1bam", "cannot be reached"),
        ("postgresql://owner:{secret}@host:port/team", r"URL cannot be read; write postgresql://USER@HOST/DATABASE"),
        ("postgresql://ow@ner:{secret}@host/team", r"more than one @; write %40"),
        ("postgresql+asyncpg://owner:{secret}@host/team", r"names a driver that is not used here"),
        ("postgresql://owner:{secret}@127.0.0.1:{port}/postgres?no_such_word=1", r"ledger .* cannot be .*no_such_word"),
    ],
)  # fmt: skip
def test_who_does_not_get_in_is_told_why_and_what_to_do_and_no_password(
    postgres: Server, url: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"secret": QUOTED, "port": postgres.tcp_port, "folder": postgres.folder, "closed": closed_port()}
    whole = url.format(**given)
    for opened in (store.open_ledger, store.open_ledger_for_reading):
        with pytest.raises(StoreError, match=told) as raised:
            opened(whole)
        assert SECRET not in str(raised.value)
        assert QUOTED not in str(raised.value)
        assert str(raised.value).isprintable()
    with pytest.raises(SystemExit, match="1"):
        main.run(["runs", "list", "--store", whole])
    shown = capsys.readouterr()
    assert shown.err.startswith("error: the ledger")
    assert SECRET not in shown.err + shown.out
    assert QUOTED not in shown.err + shown.out


def test_a_server_that_does_not_answer_is_not_waited_for_long() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"postgresql://owner@127.0.0.1:{mute.getsockname()[1]}/team?connect_timeout=1"
        with pytest.raises(StoreError, match=r"cannot be reached \(connection timeout expired"):
            store.open_ledger(url)


@pytest.mark.parametrize(
    ("query", "environment", "seconds"),
    [("", {}, 5), ("?connect_timeout=9", {}, None), ("", {"PGCONNECT_TIMEOUT": "9"}, None)],
)
def test_the_time_to_connect_has_a_bound_unless_the_user_names_one(
    query: str, environment: dict[str, str], seconds: int | None
) -> None:
    url = engines.read_url("postgresql://host/team" + query)
    assert postgres_engine.words(url, environment).get("connect_timeout") == seconds


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"PostgreSQL needs psycopg; .*pip install 'footprint\[postgres\]'"):
        store.open_ledger("postgresql://host/team")


def test_the_place_is_told_without_what_is_secret() -> None:
    url = URL.create("postgresql+psycopg", "me", SECRET, "h", 5433, "team", {"password": SECRET, "sslmode": "require"})
    assert postgres_engine.place(url) == "postgresql://me@h:5433/team"


# tables


def test_many_who_open_a_new_ledger_at_once_make_it_once(postgres: Server, database: str) -> None:
    failed: list[BaseException] = []

    def opened() -> None:
        try:
            with store.open_ledger(postgres.url(database)) as ledger:
                ledger.save(handmade.run())
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=opened) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert postgres.sql("SELECT version FROM footprint_schema", database) == [(len(schema.MIGRATIONS),)]
    assert postgres.sql("SELECT count(*) FROM runs", database) == [(1,)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("version", range(1, len(schema.MIGRATIONS)))
def test_a_ledger_of_each_earlier_version_keeps_all_that_it_holds(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, version: int
) -> None:
    url = f"sqlite:///{tmp_path / 'l.sqlite'}"
    if kind == "postgresql":
        server = request.getfixturevalue("postgres")
        url = server.url(server.new())
    old = engines.engine(url, schema.MIGRATIONS[:version])
    runs = several()
    with old.begin() as connection:
        tables = {name: Table(name, MetaData(), autoload_with=connection) for name in schema.METADATA.tables}
        for run in runs:
            row = rows.run_row(run, "run", 1.0)
            run_row = {name: value for name, value in row.items() if name in tables["runs"].c}
            connection.execute(insert(tables["runs"]).values(run_row))
            connection.execute(insert(tables["run_documents"]).values(run_id=run.id, body=rows.document(run)))
            for tag in run.tags:
                connection.execute(insert(tables["run_tags"]).values(run_id=run.id, tag=tag))
            for month, share in rows.month_shares(run).items():
                connection.execute(insert(tables["run_months"]).values(run_id=run.id, month=month, energy_share=share))
            journal = {"folder": f"/runs/{run.id}", "run_id": run.id, "signature": "s", "problem": ""}
            connection.execute(insert(tables["run_journals"]).values(journal))
    old.dispose()
    with store.open_ledger(url) as ledger, store.open_ledger("sqlite://") as fresh:
        fill(fresh)
        ungraded = [replace(entry, evidence="") for entry in fresh.list()]  # their runs are graded, their rows not yet
        assert list(ledger.list()) == ungraded
        assert [ledger.get(run.id) for run in runs] == runs
        for by in ("name", "tag", "month"):
            assert {t.key: t.run_count for t in ledger.totals(by)} == {t.key: t.run_count for t in fresh.totals(by)}
        assert ledger.folders_of(runs[0].id) == (Path(f"/runs/{runs[0].id}"),)
        ledger.save(handmade.run())
    engines.engine(url).dispose()


def test_a_newer_ledger_is_refused_and_one_that_fails_half_way_stays_as_it_was(postgres: Server, database: str) -> None:
    url = postgres.url(database)
    with store.open_ledger(url) as ledger:
        fill(ledger)
    broken = (*schema.MIGRATIONS, ("CREATE TABLE moods (id TEXT)", "ALTER TABLE none ADD COLUMN x TEXT"))
    with pytest.raises(StoreError, match='relation "none" does not exist'):
        engines.engine(url, broken)
    assert postgres.sql("SELECT to_regclass('moods')", database) == [(None,)]
    with store.open_ledger(url) as ledger:
        assert len(ledger.list()) == 5
    engines.engine(url, (*schema.MIGRATIONS, ("CREATE TABLE moods (id TEXT)",))).dispose()
    for opened in (store.open_ledger, store.open_ledger_for_reading):
        with pytest.raises(StoreError, match=r"written by a newer footprint .* pip install --upgrade footprint"):
            opened(url)


# rights


def changes(log: str) -> list[str]:
    """What was done, or tried, that changes anything, temporary tables too."""
    return [line for line in log.splitlines() if re.search(r"ERROR:|LOG:  (execute|statement)", line)]


def test_a_reader_reads_all_and_writes_nothing_not_even_by_trying(
    postgres: Server, team: Ledger, tmp_path: Path
) -> None:
    runs = fill(team)
    team.save_plan(handmade.footprint(), "next")
    url = role(postgres, "dashboard", postgres.url(str(team._engine.url.database)))
    root, read = tmp_path / "runs", Reader()
    journal_folder(root, "own")
    before = len(postgres.log())
    ledger, problem = store.open_ledger_for_reading(url)
    with ledger:
        assert problem == ""
        assert ledger.list() == team.list()
        assert ledger.list(Filter(tags=("night",), name="sft-*")) == team.list(Filter(tags=("night",), name="sft-*"))
        assert [ledger.totals(by) for by in (None, "name", "tag", "month")] == [
            team.totals(by) for by in (None, "name", "tag", "month")
        ]
        assert ledger.get(runs[0].id) == runs[0]
        assert ledger.plan("next") == handmade.footprint()
        found = ledger.catch_up(root, read)
        assert (found.read, found.skipped, read.asked) == ((), (), [])
        (note,) = found.notes
        assert f"1 run below {root} is not in the ledger as it is: " in note
        lacks = (
            r"role dashboard: it lacks INSERT, UPDATE, DELETE; the owner grants them with what this prints: "
            r"footprint runs grants --writer dashboard"
        )
        for change in (
            lambda: ledger.save(runs[0]),
            lambda: ledger.delete(runs[0].id),
            lambda: ledger.save_plan(handmade.footprint(), "x"),
            ledger.check_writable,
        ):
            with pytest.raises(StoreError, match=lacks):
                change()
    assert changes(postgres.log()[before:]) == []
    team.delete(runs[0].id)
    assert len(changes(postgres.log()[before:])) > 1  # so it would have been seen
    with store.open_ledger(url) as ledger, pytest.raises(StoreError, match=r"may not be written by this role \(perm"):
        ledger.save(runs[0])


def test_a_reader_cannot_make_or_change_tables_and_is_told_who_does(postgres: Server, database: str) -> None:
    url = postgres.url(database)
    engines.engine(url, schema.MIGRATIONS[:1]).dispose()
    reader = role(postgres, "dashboard", url)
    other = postgres.new()
    before = len(postgres.log())
    with pytest.raises(StoreError, match=r"older footprint \(schema 1\), and role dashboard .* open it once as owner"):
        store.open_ledger_for_reading(reader)
    nobody = postgres.url(other, "dashboard")
    with pytest.raises(StoreError, match=r"role dashboard may not see it, .*grants --reader dashboard"):
        store.open_ledger(nobody)
    assert changes(postgres.log()[before:]) == []


def test_a_role_without_grants_is_told_which_to_ask_for(postgres: Server, team: Ledger) -> None:
    postgres.sql("CREATE ROLE stranger LOGIN")
    with pytest.raises(StoreError, match=r"may not be read by this role \(permission denied .*--reader stranger"):
        store.open_ledger(postgres.url(str(team._engine.url.database), "stranger"))


def test_a_writer_who_is_not_the_owner_writes(postgres: Server, team: Ledger) -> None:
    url = role(postgres, "trainers", postgres.url(str(team._engine.url.database)), writes=True)
    ledger, problem = store.open_ledger_for_reading(url)
    with ledger:
        assert (problem, ledger.unwritable) == ("", "")
        fill(ledger)
        ledger.check_writable()
        ledger.delete("asr_2")
        ledger.delete("cccc0002-1")
    assert len(team.list()) == 4


def test_a_server_that_takes_no_changes_says_so(postgres: Server, database: str) -> None:
    url = postgres.url(database)
    store.open_ledger(url).close()
    postgres.sql(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    ledger, _ = store.open_ledger_for_reading(url)
    with ledger, pytest.raises(StoreError, match="lets this role read alone"):
        ledger.save(handmade.run())


def test_the_command_line_reads_as_a_reader_and_deletes_nothing(
    postgres: Server, team: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(team)
    url = role(postgres, "dashboard", postgres.url(str(team._engine.url.database)))
    monkeypatch.setenv("FOOTPRINT_HOME", str(tmp_path))
    monkeypatch.setenv("FOOTPRINT_STORE", url)
    folder = journal_folder(tmp_path / "runs", "aaaa0001-1")
    for words in (("list",), ("list", "--by", "month"), ("show", "asr"), ("export", "all", "-f", "csv")):
        with pytest.raises(SystemExit, match="0"):
            main.run(["runs", *words])
        shown = capsys.readouterr()
        assert shown.out
        assert "note: 1 run below" in shown.err
    with pytest.raises(SystemExit, match="1"):
        main.run(["runs", "delete", "aaaa0001-1", "--yes"])
    assert "it lacks INSERT, UPDATE, DELETE" in capsys.readouterr().err
    assert folder.is_dir()
    assert len(team.list()) == 5


def test_the_app_and_the_charts_read_as_a_reader(
    postgres: Server, team: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(team)
    url = role(postgres, "dashboard", postgres.url(str(team._engine.url.database)))
    monkeypatch.setenv("FOOTPRINT_HOME", str(tmp_path))
    settings = Settings(store=url, environment={"FOOTPRINT_HOME": str(tmp_path)})
    books = Books(settings)
    books.settle()
    assert len(books.list(Filter())) == 5
    months = books.history(Filter()).months
    assert [(one.month, one.project, one.run_count) for one in months] == [
        ("2026-11", "llm", 3), ("2026-11", "speech", 1), ("2026-12", "speech", 1),
    ]  # fmt: skip
    books._opened().close()
    figure = charts.history(ledger=url)
    assert sum(len(trace.x) for trace in figure.data) >= len(months)
    assert "asr" in str(charts.idle("asr", ledger=url).to_dict())
    with pytest.raises(SystemExit, match="0"):
        main.run(["chart", "history", "--store", url, "--out", str(tmp_path / "h.json")])
    with pytest.raises(SystemExit, match="1"):
        main.run(["chart", "world", "--store", url, "--out", str(tmp_path / "w.json")])
    assert "leave out --store" in capsys.readouterr().err


def test_names_of_roles_are_quoted_and_those_that_cannot_be_are_refused() -> None:
    assert 'TO "a""b; DROP TABLE runs";' in store.grants(['a"b; DROP TABLE runs'], [])
    assert 'ON "s p".footprint_schema' in store.grants(["r"], [], "s p")
    with pytest.raises(ValueError, match=r"role = .*cannot be the name of one"):
        store.grants(["a\nb"], [])


# what goes away and comes back


def drop_all(server: Server) -> None:
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'footprint'")


def test_a_connection_that_was_dropped_is_made_again_between_calls_and_within_one(
    postgres: Server, team: Ledger
) -> None:
    fill(team)
    drop_all(postgres)
    assert len(team.list()) == 5
    tries = []

    def work(connection: object) -> str:
        tries.append(connection)
        connection.exec_driver_sql("DELETE FROM run_tags")  # type: ignore[attr-defined]
        if len(tries) == 1:
            drop_all(postgres)
        connection.exec_driver_sql("UPDATE runs SET project = 'moved'")  # type: ignore[attr-defined]
        return "done"

    assert engines.write(team._engine, work) == "done"
    assert len(tries) == 2
    assert {entry.project for entry in team.list()} == {"moved"}


def test_a_failure_to_serialize_is_tried_again_with_a_bound(
    postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.open_ledger(postgres.url(database)) as ledger:
        with postgres.connected(database) as connection:
            connection.execute("CREATE SEQUENCE tries")
            connection.execute(
                "CREATE FUNCTION fail() RETURNS trigger AS $$ BEGIN IF nextval('tries') < 4 THEN "
                "RAISE EXCEPTION 'could not serialize' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$ "
                "LANGUAGE plpgsql"
            )
            connection.execute("CREATE TRIGGER failing BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION fail()")
        ledger.save(handmade.run())
        assert postgres.sql("SELECT last_value FROM tries", database) == [(4,)]
        postgres.sql("SELECT setval('tries', 1)", database)
        monkeypatch.setattr(postgres_engine, "PATIENCE_S", 0.0)
        with pytest.raises(StoreError, match="could not serialize"):
            ledger.save(handmade.run(id="another"))
    assert postgres.sql("SELECT id FROM runs", database) == [(handmade.run().id,)]


def test_while_the_server_is_away_nothing_is_lost_and_the_ledger_catches_up(
    postgres: Server, team: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, read = tmp_path / "runs", Reader()
    journal_folder(root, "one")
    team.catch_up(root, read)
    postgres.stop(signal.SIGQUIT)
    try:
        monkeypatch.setattr(postgres_engine, "PATIENCE_S", 0.2)
        journal_folder(root, "one", "{}\n{}\n")
        journal_folder(root, "two")
        with pytest.raises(StoreError, match=r"cannot be reached .* stays in the journals and is caught up"):
            team.catch_up(root, read)
        with pytest.raises(StoreError, match="cannot be reached"):
            store.open_ledger(postgres.url())
    finally:
        postgres.start()
    monkeypatch.setattr(postgres_engine, "PATIENCE_S", 60.0)
    assert team.catch_up(root, read).read == ("one", "two")
    assert [entry.id for entry in team.list()] == ["one", "two"]


# several hosts


def test_folders_of_one_name_on_two_hosts_are_two_and_the_longer_reading_stays(
    team: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, read = tmp_path / "runs", Reader()
    folder = journal_folder(root, "one", "{}\n" * 5)
    monkeypatch.setattr("platform.node", lambda: "gpu01")
    assert team.catch_up(root, read).read == ("one",)
    journal_folder(root, "one", "{}\n" * 2)
    monkeypatch.setattr("platform.node", lambda: "gpu02")
    for _ in range(2):
        (note,) = team.catch_up(root, read).notes
        assert "one tells less than the ledger holds of its run; join" in note
    assert read.asked == ["one", "one"]
    assert team.folders_of("one") == (folder,)
    assert team.elsewhere("one") == (f"gpu01:{folder}",)
    assert team.ids_of(folder) == ("one",)
    monkeypatch.setattr("platform.node", lambda: "gpu01")
    assert team.catch_up(root, read, again=True).notes == ()
    assert team.elsewhere("one") == (f"gpu02:{folder}",)


def test_questions_do_not_grow_with_the_number_of_runs(team: Ledger, tmp_path: Path) -> None:
    for i in range(20):
        team.save(handmade.run(id=f"run-{i}", name=f"n{i}", project=f"p{i}", tags=(f"t{i}",), meters=()))
    asked: list[str] = []
    event.listen(team._engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    team.list()
    team.handles()
    for by in (None, "name", "project", "tag", "month", "status"):
        team.totals(by)
    team.get("run-7")
    assert len(asked) == 2 + 6 + 2
    asked.clear()
    root, read = tmp_path / "runs", Reader()
    for i in range(10):
        journal_folder(root, f"new-{i}")
    team.catch_up(root, read)
    once = len(asked)
    asked.clear()
    team.catch_up(root, read)
    assert len(asked) == 1
    assert once <= 1 + 10 * 8
    asked.clear()
    team.save(handmade.run(id="many", tags=tuple(f"t{i}" for i in range(30))))
    assert len(asked) <= 8


def test_who_opens_a_ledger_by_the_environment_needs_no_option(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTPRINT_STORE", postgres.empty())
    with store.open_ledger() as ledger:
        assert ledger.place.startswith("postgresql://owner@/db")
