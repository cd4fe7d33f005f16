"""Extract: from a document to chunks of raw records, page by page."""

from etl_service.extract.auth import SecretReader
from etl_service.extract.errors import SourceError
from etl_service.extract.gate import Gate, Resolve, system_resolve
from etl_service.extract.limiter import Turns
from etl_service.extract.opening import open_source
from etl_service.extract.source import Source

__all__ = ["Gate", "Resolve", "SecretReader", "Source", "SourceError", "Turns", "open_source", "system_resolve"]
