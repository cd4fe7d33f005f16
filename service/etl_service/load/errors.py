"""Errors of the store, each with its reason."""

from __future__ import annotations

from etl_service.errors import LoadError


class Busy(LoadError):
    """Another run of the pipeline is under way."""

    reason = "Busy"

    def __init__(self, pipeline: str, run_id: str) -> None:
        super().__init__(f"run {run_id} of pipeline {pipeline} is under way; wait for it, or cancel it")
        self.run_id = run_id


class DatabaseUnavailable(LoadError):
    """The database cannot be reached, or does not do what it is asked."""

    reason = "DatabaseUnavailable"


class DatabaseFull(DatabaseUnavailable):
    """There is no room for what is to be written."""

    reason = "DatabaseFull"


class DatabaseReadOnly(DatabaseUnavailable):
    """The database can be read, and not written."""

    reason = "DatabaseReadOnly"


class DatabaseCorrupt(DatabaseUnavailable):
    """What is there is no database, or a damaged one."""

    reason = "DatabaseCorrupt"


class DatabaseBusy(DatabaseUnavailable):
    """There are as many connections as there can be, or somebody holds a table."""

    reason = "DatabaseBusy"


class DatabaseLoginRefused(DatabaseUnavailable):
    """The server does not let the user in."""

    reason = "DatabaseLoginRefused"


class DatabaseNotFound(DatabaseUnavailable):
    """The server has no such database, or the database no such schema."""

    reason = "DatabaseNotFound"


class DatabaseForbidden(DatabaseUnavailable):
    """The user lacks a right."""

    reason = "DatabaseForbidden"


class DatabaseUntrusted(DatabaseUnavailable):
    """The connection cannot be encrypted, or the server cannot prove who it is."""

    reason = "DatabaseUntrusted"


class DatabaseUnsuitable(LoadError):
    """The place the database is in cannot keep it safe."""

    reason = "DatabaseUnsuitable"


class SchemaTooNew(LoadError):
    """The database was written by a newer version of the engine."""

    reason = "SchemaTooNew"


class TableOwned(LoadError):
    """The table belongs to another pipeline, or to nobody the engine knows."""

    reason = "TableOwned"


class SchemaConflict(LoadError):
    """The mapping asks for a change that would lose data."""

    reason = "SchemaConflict"


class EmptyReplace(LoadError):
    """A replace with nothing."""

    reason = "EmptyReplace"


class MergeInterrupted(LoadError):
    """The merge was asked to stop, and rolled back."""

    reason = "MergeInterrupted"


class LeaseLost(LoadError):
    """Another has taken over the pipeline: what this run holds is worth nothing any more."""

    reason = "LeaseLost"


class NotDivisible(LoadError):
    """The store takes the rows of one process only."""

    reason = "NotDivisible"


class StagingLost(LoadError):
    """What was staged is not there any more, all or in part."""

    reason = "StagingLost"


class BackupUnsupported(LoadError):
    """The store has tools of its own for that."""

    reason = "BackupUnsupported"


class QueryError(LoadError):
    """A reader asked for a column, an order or a token that the table does not have."""

    reason = "InvalidQuery"
