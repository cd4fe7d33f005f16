"""What all the parts of a document have in common."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from etl_service.spec.rule import Rule

#: The keyword of a CRD's schema for rules in CEL; no other schema knows it.
VALIDATIONS = "x-kubernetes-validations"


def wrong(message: str, remedy: str) -> PydanticCustomError:
    """What a validator raises: in a human's words, and never with a value that may be a secret."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "remedy": remedy})


class Model(BaseModel):
    """A part of a document: frozen, strict, in camelCase, and keeping its rules.

    Python makes one with its attributes' names; a document has their aliases only.
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=lambda name: to_camel(name.rstrip("_")),
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )

    rules: ClassVar[tuple[Rule[Any], ...]] = ()

    @model_validator(mode="after")
    def _keeps_its_rules(self) -> Self:
        breaches = [(rule, breach) for rule in self.rules if (breach := rule.breach(self))]
        if not breaches:
            return self
        details = [
            InitErrorDetails(type=wrong(rule.message.format(breach), rule.remedy), loc=rule.location, input=None)
            for rule, breach in breaches
        ]
        raise ValidationError.from_exception_data(type(self).__name__, details, hide_input=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        part = handler.resolve_ref_schema(schema)
        for rule in cls.rules:
            part.update(rule.schema)
        if validations := [rule.validation for rule in cls.rules if rule.cel]:
            part[VALIDATIONS] = validations
        return schema
