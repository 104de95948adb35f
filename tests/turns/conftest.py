from tests.store.conftest import postgres_dsn, schema_dsn

__all__ = ["postgres_dsn", "schema_dsn"]
