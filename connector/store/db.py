"""The databases' front door: what the rest of the product imports."""

from connector.store.database import Args, Database, Row, Tx
from connector.store.postgres import Postgres
from connector.store.sqlite import Sqlite, sqlite_library

__all__ = ["Args", "Database", "Postgres", "Row", "Sqlite", "Tx", "sqlite_library"]
