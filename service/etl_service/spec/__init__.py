"""What a pipeline document may say: its models, and reading, checking and describing one."""

from etl_service.spec.auth import ApiKey, Auth, Basic, Bearer, OAuth2
from etl_service.spec.cluster import Frontend, History, Service, Storage
from etl_service.spec.document import load_pipeline, parse_pipeline, validate_pipeline
from etl_service.spec.extract import Extract, Incremental, Limits
from etl_service.spec.kubernetes import Pod, Resources, SecretKeyRef, Toleration
from etl_service.spec.load import Load, Mode, Postgres, Sqlite
from etl_service.spec.names import name_problem
from etl_service.spec.pagination import (
    CursorPagination,
    LinkPagination,
    NextUrlPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
)
from etl_service.spec.partitions import Partitions, Share, shares
from etl_service.spec.pipeline import EtlPipeline, Metadata, PipelineSpec, RunSpec, public_document
from etl_service.spec.problems import Problem, SpecInvalid
from etl_service.spec.schedule import Schedule, next_times
from etl_service.spec.schema import document_schema, json_schema
from etl_service.spec.secret import SECRETS, Secret, SecretMissing, read_secret
from etl_service.spec.sources import ANYTHING, AllowedSources, SourcesInvalid, allowed_sources
from etl_service.spec.transform import Clean, ColumnSpec, ColumnType, OnError, Transform

__all__ = [
    "ANYTHING",
    "SECRETS",
    "AllowedSources",
    "ApiKey",
    "Auth",
    "Basic",
    "Bearer",
    "Clean",
    "ColumnSpec",
    "ColumnType",
    "CursorPagination",
    "EtlPipeline",
    "Extract",
    "Frontend",
    "History",
    "Incremental",
    "Limits",
    "LinkPagination",
    "Load",
    "Metadata",
    "Mode",
    "NextUrlPagination",
    "OAuth2",
    "OffsetPagination",
    "OnError",
    "PagePagination",
    "Pagination",
    "Partitions",
    "PipelineSpec",
    "Pod",
    "Postgres",
    "Problem",
    "Resources",
    "RunSpec",
    "Schedule",
    "Secret",
    "SecretKeyRef",
    "SecretMissing",
    "Service",
    "Share",
    "SourcesInvalid",
    "SpecInvalid",
    "Sqlite",
    "Storage",
    "Toleration",
    "Transform",
    "allowed_sources",
    "document_schema",
    "json_schema",
    "load_pipeline",
    "name_problem",
    "next_times",
    "parse_pipeline",
    "public_document",
    "read_secret",
    "shares",
    "validate_pipeline",
]
