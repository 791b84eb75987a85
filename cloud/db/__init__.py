"""The database: engine and sessions, column types, migrations. The same code runs on SQLite and PostgreSQL."""
