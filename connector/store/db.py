"""The databases' front door: what the rest of the product imports. PostgreSQL stands apart: SQLite needs no driver."""

from connector.store.database import Args, Database, Row, Tx
from connector.store.sqlite import Sqlite, sqlite_library

__all__ = ["Args", "Database", "Row", "Sqlite", "Tx", "sqlite_library"]
