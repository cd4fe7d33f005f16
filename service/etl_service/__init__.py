"""EtlPipeline: from a REST API to a SQL table, cleaned and typed."""

__version__ = "0.1.0"
