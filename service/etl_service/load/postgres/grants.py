"""What the user of a pipeline needs in the database, and nothing more."""

from __future__ import annotations

from etl_service.load.sql import quote


def grants(schema: str, role: str, reader: str | None = None) -> str:
    """SQL that gives it, and to ``reader`` what it takes to read all tables of the schema; it can be run again."""
    where, who = quote(schema), quote(role)
    # Temporary tables are what a preview compares in.
    given = [
        f"CREATE SCHEMA IF NOT EXISTS {where};",
        f"GRANT USAGE, CREATE ON SCHEMA {where} TO {who};",
        "DO $$ BEGIN EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', "
        f"current_database(), {_text(role)}); END $$;",
    ]
    if reader is not None:
        given += [
            f"GRANT USAGE ON SCHEMA {where} TO {quote(reader)};",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {where} TO {quote(reader)};",
            # Only a member of the role may say who reads what it is going to make.
            f"DO $$ BEGIN IF NOT pg_has_role({_text(role)}, 'USAGE') THEN GRANT {who} TO CURRENT_USER; END IF; END $$;",
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {who} IN SCHEMA {where} GRANT SELECT ON TABLES TO {quote(reader)};",
        ]
    return "\n".join(given) + "\n"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
