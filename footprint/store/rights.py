"""Who may do what in a team's ledger on PostgreSQL: what is missing, asked without trying, and what grants it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text

from footprint.errors import InputError
from footprint.store.schema import METADATA, VERSION


def to_change(connection: Connection, where: str, seen: int) -> str:
    """Which right to make or change tables is missing, and who has it."""
    who, may_create, schema = connection.execute(
        text("SELECT current_user, has_schema_privilege(current_schema(), 'CREATE'), current_schema()")
    ).one()
    if is_standby := _only_reads(connection):
        return f"{where} is not of the newest form, and {is_standby}"
    if seen == 0:
        if may_create:
            return ""
        return (
            f"{where} is not there, or role {who} may not see it, and that role may not make it in schema {schema}; "
            f"open it once as the owner of the database, who then runs what this prints: "
            f"footprint runs grants --reader {who}"
        )
    owner, may_change = connection.execute(
        text(
            "SELECT pg_get_userbyid(relowner), pg_has_role(current_user, relowner, 'USAGE') FROM pg_class "
            "WHERE oid = to_regclass(:name)"
        ),
        {"name": VERSION.name},
    ).one()
    if may_change:
        return ""
    return (
        f"{where} was written by an older footprint (schema {seen}), and role {who} may not bring it up to date; "
        f"open it once as {owner}: footprint runs list"
    )


def to_write(connection: Connection, where: str) -> str:
    """Which right to write is missing, without trying."""
    if only_reads := _only_reads(connection):
        return f"{where} cannot be written: {only_reads}"
    rights = ("INSERT", "UPDATE", "DELETE")
    asked = ", ".join(f"bool_and(has_table_privilege(name, '{right}'))" for right in rights)
    names = ", ".join(f"('{name}')" for name in _written())
    row = connection.execute(text(f"SELECT current_user, {asked} FROM (VALUES {names}) AS tables(name)")).one()
    lacking = [right for right, has in zip(rights, row[1:], strict=True) if not has]
    if not lacking:
        return ""
    return (
        f"{where} may be read, but not written, by role {row[0]}: it lacks {', '.join(lacking)}; "
        f"the owner grants them with what this prints: footprint runs grants --writer {row[0]}"
    )


def _only_reads(connection: Connection) -> str:
    """Why the server takes no changes at all."""
    is_standby, default = connection.execute(
        text("SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')")
    ).one()
    if is_standby:
        return "the server is a standby that follows another; name the primary"
    return "the server lets this role read alone (default_transaction_read_only)" if default == "on" else ""


def _written() -> list[str]:
    return [name for name in METADATA.tables if name != VERSION.name]


def grants(readers: Iterable[str], writers: Iterable[str], schema: str = "public") -> str:
    """The SQL by which the owner of the tables lets roles read, or read and write."""
    writers = list(writers)
    tables = ", ".join(f"{_quoted('schema', schema)}.{name}" for name in METADATA.tables)
    written = ", ".join(f"{_quoted('schema', schema)}.{name}" for name in _written())
    lines = []
    for role in dict.fromkeys((*readers, *writers)):
        lines.append(f"GRANT USAGE ON SCHEMA {_quoted('schema', schema)} TO {_quoted('role', role)};")
        lines.append(f"GRANT SELECT ON {tables} TO {_quoted('role', role)};")
    for role in dict.fromkeys(writers):
        lines.append(f"GRANT INSERT, UPDATE, DELETE ON {written} TO {_quoted('role', role)};")
    return "\n".join(lines) + "\n"


def _quoted(field: str, name: str) -> str:
    if not name or not name.isprintable():
        raise InputError(field, name, "cannot be the name of one", "write it as in the database")
    return '"' + name.replace('"', '""') + '"'
