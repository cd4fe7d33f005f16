"""Names that SQL and the service have taken."""

from __future__ import annotations

#: What PostgreSQL 17 reserves (Appendix C of its manual, "reserved" in either way), and what SQLite does not take bare.
SQL = frozenset(
    """
    add all alter analyse analyze and any array as asc asymmetric authorization autoincrement between binary both case
    cast check collate collation column commit concurrently constraint create cross current_catalog current_date
    current_role current_schema current_time current_timestamp current_user default deferrable delete desc distinct do
    drop else end escape except exists false fetch for foreign freeze from full grant group having if ilike in index
    initially inner insert intersect into is isnull join lateral leading left like limit localtime localtimestamp
    natural not nothing notnull null offset on only or order outer overlaps placing primary raise references returning
    right select session_user set similar some symmetric system_user table tablesample then to trailing transaction
    true union unique update user using values variadic verbose when where window with
    """.split()
)

#: First steps of the service's own paths: a table is served under its name.
ROUTES = frozenset(
    "api assets docs etl favicon health index js metrics openapi ready redoc static stats tables".split()
)

#: Columns that every row is given.
ADDED = frozenset(("loaded_at", "run_id"))

#: Columns that every table of PostgreSQL or SQLite has without being asked.
HIDDEN = frozenset("_rowid_ cmax cmin ctid oid rowid tableoid xmax xmin".split())
