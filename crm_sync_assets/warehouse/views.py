"""`<table>_live`: a view of every entity's table without rows that are deleted or merged away.

A view keeps the columns, and the table, that it was made with. So it is compared with its table
whenever that is looked at, and made again where it differs; grants on it stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger
from crm_sync_assets.warehouse import locks
from crm_sync_assets.warehouse.connection import Connection, message_of

log = logger(__name__)

PATIENCE = "3s"
"""How long somebody's query may hold up a change of the view."""

_OURS = "; made by crm_sync_assets"

_told: set[str] = set()
"""Views that could not be made, which was said in this process."""


def live_view(table: str) -> str:
    return f"{table}_live"


def is_ours(comment: str | None) -> bool:
    """Whether the view that says this was made here."""
    return (comment or "").endswith(_OURS)


@dataclass(frozen=True, slots=True)
class _State:
    """A table and what has its view's name: columns in their order, the view's kind and comment.

    `is_of_it` says that the view reads this very table, not one that had its name before.
    """

    schema: str
    table: str
    columns: list[str]
    kind: str | None
    comment: str | None
    view_columns: list[str]
    is_of_it: bool

    @property
    def view(self) -> sql.Identifier:
        return sql.Identifier(self.schema, live_view(self.table))

    @property
    def conditions(self) -> list[str]:
        return [name for name in ("deleted_at", "merged_into") if name in self.columns]

    @property
    def about(self) -> str:
        """The view's comment: who reads it is told, and we know by it what is ours."""
        rows = " and ".join(f"{name} is NULL" for name in self.conditions)
        return f"the rows of {self.table} whose {rows}{_OURS}"

    @property
    def is_theirs(self) -> bool:
        """Whether somebody else has made something of that name."""
        return self.kind is not None and not (self.kind == "v" and is_ours(self.comment))

    @property
    def is_right(self) -> bool:
        same = set(self.columns) == set(self.view_columns)
        return same and self.is_of_it and self.comment == self.about

    def definition(self) -> sql.Composed:
        """Columns that the view has stay where they are: only then can it be replaced."""
        kept = [name for name in self.view_columns if name in self.columns]
        names = [*kept, *(name for name in self.columns if name not in kept)]
        return sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT {} FROM {} WHERE {}").format(
            self.view,
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.Identifier(self.schema, self.table),
            sql.SQL(" AND ").join(
                sql.SQL("{} IS NULL").format(sql.Identifier(name)) for name in self.conditions
            ),
        )


_STATE = """
SELECT n.nspname, ARRAY(
    SELECT attname::text FROM pg_attribute
    WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum
), v.relkind::text, obj_description(v.oid, 'pg_class'), ARRAY(
    SELECT attname::text FROM pg_attribute WHERE attrelid = v.oid AND attnum > 0 ORDER BY attnum
), EXISTS (
    SELECT FROM pg_rewrite AS r JOIN pg_depend AS d ON d.objid = r.oid
    WHERE r.ev_class = v.oid AND d.classid = 'pg_rewrite'::regclass AND d.refobjid = t.oid
)
FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
LEFT JOIN pg_class AS v ON v.relnamespace = t.relnamespace AND v.relname = %(view)s
WHERE t.oid = to_regclass(quote_ident(%(table)s))
"""


def _state(connection: Connection, table: str) -> _State | None:
    found = connection.execute(_STATE, {"table": table, "view": live_view(table)}).fetchone()
    if found is None:
        return None
    schema, columns, *view = found
    return _State(schema, table, columns, *view)


def keep(connection: Connection, table: str) -> bool:
    """Have the view show this table with all of its columns, inside the caller's transaction.

    Whether there was none and is one now. Nothing is done, and nothing locked, where it does. What
    somebody else made under its name is left alone. Raises FatalError for a view of a table that
    had this name before, if it cannot be made again: whoever reads it would not see what is stored.
    """
    state = _state(connection, table)
    if state is None or state.is_right:
        return False
    if state.is_theirs:
        _tell(state, "something else has its name: rename that to have the view")
        return False
    try:
        with connection.transaction(), _impatient(connection):
            locks.take_until_commit(connection, locks.table(table))
            again = _state(connection, table)
            if again is None or again.is_right:
                return False
            _make(connection, again)
        return again.kind is None
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.LockNotAvailable) as error:
        if state.kind is not None and not state.is_of_it:
            raise _misleading(state, message_of(error)) from error
        _tell(state, message_of(error))
        return False


def _make(connection: Connection, state: _State) -> None:
    try:
        with connection.transaction():
            connection.execute(state.definition())
            _say(connection, state)
    except psycopg.errors.InvalidTableDefinition:
        # A column of it is gone, or of another type: no view is replaced by one without it.
        with aside(connection, state.table):
            pass


def _say(connection: Connection, state: _State) -> None:
    about = sql.Literal(state.about)
    connection.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(state.view, about))


@contextmanager
def aside(connection: Connection, table: str) -> Iterator[None]:
    """Without the view inside the block, which may change types of columns; it is made again.

    Grants and owner stay. All of it is in the caller's transaction. Raises FatalError, naming them,
    when something of somebody else depends on the view.
    """
    state = _state(connection, table)
    if state is None or state.kind is None or state.is_theirs:
        yield
        return
    rights = _rights(connection, state)
    try:
        with connection.transaction():
            connection.execute(sql.SQL("DROP VIEW {}").format(state.view))
    except psycopg.errors.DependentObjectsStillExist as error:
        raise FatalError(
            f"the view {live_view(table)} has to be made anew, and {_dependents(error)}: drop "
            "that, run this again, and make it again afterwards"
        ) from error
    yield
    again = _state(connection, table)
    assert again is not None
    connection.execute(again.definition())
    _say(connection, again)
    for right in rights:
        connection.execute(right)


def _dependents(error: psycopg.Error) -> str:
    """What PostgreSQL says of who depends on it; the first line of several."""
    detail = (error.diag.message_detail or "something depends on it").splitlines()
    more = f" and {len(detail) - 1} more" if detail[1:] else ""
    return detail[0] + more


def _rights(connection: Connection, state: _State) -> list[sql.Composed]:
    """Statements that give the view back to its owner, and to whom it was granted."""
    found = connection.execute(
        "SELECT a.privilege_type, pg_get_userbyid(a.grantee), a.grantee = 0, a.is_grantable, "
        "pg_get_userbyid(c.relowner), pg_get_userbyid(c.relowner) = current_user "
        "FROM pg_class AS c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a "
        "WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relname = %s",
        (state.schema, live_view(state.table)),
    ).fetchall()
    rights = [
        sql.SQL("GRANT {} ON {} TO {}{}").format(
            sql.SQL(privilege),
            state.view,
            sql.SQL("PUBLIC") if everybody else sql.Identifier(grantee),
            sql.SQL(" WITH GRANT OPTION" if grantable else ""),
        )
        for privilege, grantee, everybody, grantable, owner, _ in found
        if everybody or grantee != owner
    ]
    for *_, owner, is_ours in found[:1]:
        if not is_ours:
            rights.append(
                sql.SQL("ALTER VIEW {} OWNER TO {}").format(state.view, sql.Identifier(owner))
            )
    return rights


@contextmanager
def _impatient(connection: Connection) -> Iterator[None]:
    """Nobody waits long behind a change of the view."""
    row = connection.execute("SELECT current_setting('lock_timeout')").fetchone()
    connection.execute("SELECT set_config('lock_timeout', %s, true)", (PATIENCE,))
    yield
    connection.execute("SELECT set_config('lock_timeout', %s, true)", row)


def _misleading(state: _State, reason: str) -> FatalError:
    view = live_view(state.table)
    return FatalError(
        f"the view {view} shows a table that was {state.table} before, and cannot be made again: "
        f"{reason}. Run DROP VIEW {view} as its owner; the next sync makes it"
    )


def _tell(state: _State, reason: str) -> None:
    view = live_view(state.table)
    if view not in _told:
        _told.add(view)
        log.warning("the view %s is not made: %s", view, reason)
