"""One SQL text for SQLite and PostgreSQL: databases, migrations, named queries, one thin module an aggregate."""

from connector.store.db import Database, Row, Tx
from connector.store.store import Store

__all__ = ["Database", "Row", "Store", "Tx"]
