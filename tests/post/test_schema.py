"""The tables as statements see them, and as the migrations made them, are the same; and each statement of the hot path has its index."""

from __future__ import annotations

from sqlalchemy import Text, bindparam, inspect, select, text, types

from mmsproxy.post.job import Priority
from mmsproxy.post.policy import Limits, UnknownPolicy
from mmsproxy.post.schema import FALLING_BACK, MMS_ONLY, UNIDENTIFIED, messages, metadata
from mmsproxy.post.store import Store
from mmsproxy.post.sweeping import overdue
from mmsproxy.post.work import _head

FAMILIES = (types.Text, types.LargeBinary, types.Boolean, types.Integer, types.Float)


def family(kind: types.TypeEngine) -> type:
    return next(known for known in FAMILIES if isinstance(kind, known))


async def test_tables_are_what_the_migrations_made(store: Store) -> None:
    def look(connection):
        inspector = inspect(connection)
        return {
            name: {
                "columns": {column["name"]: (family(column["type"]), column["nullable"]) for column in inspector.get_columns(name)},
                "key": inspector.get_pk_constraint(name)["constrained_columns"],
                "foreign": {(key["constrained_columns"][0], key["referred_table"]) for key in inspector.get_foreign_keys(name)},
            }
            for name in inspector.get_table_names()
        }

    async with store.database.read() as connection:
        made = await connection.run_sync(look)
    wanted = {
        table.name: {
            "columns": {column.name: (family(column.type), bool(column.nullable)) for column in table.columns},
            "key": [column.name for column in table.primary_key],
            "foreign": {(key.parent.name, key.column.table.name) for key in table.foreign_keys},
        }
        for table in metadata.sorted_tables
    }
    for tables in (made, wanted):  # SQLite says of its row number that it may be null
        for table in tables.values():
            table["columns"].pop("seq", None)
    assert made == wanted


async def test_each_look_into_the_queue_has_its_index(sqlite_store: Store) -> None:
    limits = Limits(unknown=UnknownPolicy.RESEND_SAME_TID)
    looks = {
        "messages_claim": select(_head(Priority.NORMAL, messages.c.line == bindparam("line", type_=Text))).params(now=1.0, line="mint"),
        "messages_claim_mms": select(_head(Priority.NORMAL, messages.c.line == "", MMS_ONLY)).params(now=1.0),
        "messages_unidentified": select(messages.c.seq).where(UNIDENTIFIED, messages.c.last_byte_at.between(1.0, 2.0)),
        **dict(
            zip(
                ("messages_scheduled", "messages_expiry", "messages_sending", "messages_unknown"),
                (select(messages.c.seq).where(condition) for condition in overdue(1.0, limits)),
                strict=True,
            )
        ),
        "messages_fallback": select(messages.c.id).where(FALLING_BACK),
        "messages_state": select(messages.c.seq).where(messages.c.state == "failed").order_by(messages.c.seq.desc()),
    }
    async with sqlite_store.database.read() as connection:
        for index, statement in looks.items():
            sql = str(statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
            plan = " ".join(str(row) for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {sql}")))
            assert index in plan, plan
            assert "SCAN messages'" not in plan, plan
            assert "TEMP B-TREE" not in plan, plan
