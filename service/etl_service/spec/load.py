"""Where the rows go."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from etl_service.spec.base import Model
from etl_service.spec.names import ColumnName, SchemaName, TableName
from etl_service.spec.rules import LOAD_RULES
from etl_service.spec.secret import Secret
from etl_service.spec.text import Items

Mode = Literal["upsert", "append", "replace"]


class Sqlite(Model):
    """A SQLite file: `etl.db`, or what ETL_DATABASE says; `/data/etl.db` in the images."""


class Postgres(Model):
    """A PostgreSQL database."""

    dsn: Secret = Field(description="Connection string, such as postgresql://user:password@host/database.")
    schema_: SchemaName = Field(default="public", description="Schema that holds the tables. Default: public.")


class Load(Model):
    """The table: where the rows go."""

    table: TableName = Field(
        description="Name of the table, which belongs to this pipeline alone: letters a to z, digits and _, at most 63 "
        "characters, no word of SQL's own, no path of the service's own."
    )
    key: Annotated[Items[ColumnName], Field(max_length=16)] = Field(
        default=(), description="Columns that tell one row from another. Mode upsert needs them."
    )
    mode: Mode = Field(
        default="upsert",
        description="upsert updates the rows whose key is there and inserts the others; append inserts, and skips the "
        "keys that are there; replace swaps the whole table. Default: upsert.",
    )
    allow_empty: bool = Field(
        default=False, description="Whether a replace with no rows at all may empty the table. Default: false."
    )
    sqlite: Sqlite | None = Field(default=None, description="Load into SQLite. This is the default.")
    postgres: Postgres | None = Field(default=None, description="Load into PostgreSQL.")

    rules = LOAD_RULES
