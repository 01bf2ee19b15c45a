"""What all configuration sections share: strictness, access by name, plain copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from hepflow.errors import ConfigurationError, did_you_mean
from hepflow.schema.fields import Columns, Function

STRICT = ConfigDict(allow_inf_nan=False, validate_default=True)


class Section(BaseModel):
    """Base of all configuration models: unknown keys are errors, assignment is validated."""

    model_config = ConfigDict(
        **STRICT, extra="forbid", validate_assignment=True, populate_by_name=True
    )

    where: ClassVar[str] = ""  # path of the section where it stands alone, for messages
    not_yet: ClassVar[Mapping[str, str]] = {}  # field -> why it is refused for now

    _path: str = PrivateAttr("")  # where it stands in its configuration

    @property
    def path(self) -> str:
        """Where this section stands in the configuration, such as ``channels[0]``."""
        return self._path or type(self).where

    def __getitem__(self, name: str) -> Any:
        """Return a field by its name, like a dict.

        Raises
        ------
        KeyError
            If there is no such field; the message names the nearest.
        """
        if name not in self:
            hint = did_you_mean(str(name), type(self).model_fields)
            raise KeyError(f"{name!r} is not a field of {self.path or 'this section'}. {hint}")
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        """Whether a field of this name exists."""
        return name in type(self).model_fields

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field by its name, or `default` where there is no such field."""
        return getattr(self, name) if name in self else default

    def keys(self) -> Iterator[str]:
        """Names of the fields."""
        return iter(type(self).model_fields)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested containers with every field; functions and other objects as they are."""
        return {name: plain(getattr(self, name)) for name in type(self).model_fields}

    def __eq__(self, other: object) -> bool:
        """Compare the fields: where a section stands is not part of what it says."""
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.keys())

    __hash__ = None  # type: ignore[assignment]  # can be changed in place

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign and validate.

        Raises
        ------
        ConfigurationError
            If the value is not admitted or the field does not exist; nothing is changed.
        """
        before, before_set = dict(self.__dict__), set(self.__pydantic_fields_set__)
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            from hepflow.schema.problems import problems_of

            # A check of the whole section runs after the value is in place.
            self.__dict__.clear()
            self.__dict__.update(before)
            self.__pydantic_fields_set__.intersection_update(before_set)
            raise ConfigurationError(problems_of(error, type(self), self.path)) from None
        if not name.startswith("_"):
            place(self, self.path)


def place(value: Any, path: str) -> None:
    """Tell a section, and all below it, where it stands."""
    if isinstance(value, Section):
        value._path = path  # noqa: SLF001 - the section's own module
        for name in value.keys():  # noqa: SIM118 - iterating over a model gives pairs
            place(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for i, one in enumerate(value):
            place(one, f"{path}[{i}]")
    elif isinstance(value, dict):
        for name, one in value.items():
            place(one, f"{path}.{name}")


def plain(value: Any) -> Any:
    """Copy sections and containers as plain containers; everything else stays itself."""
    if isinstance(value, Section):
        return value.to_dict()
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(plain(one) for one in value)
    return value


class Functor(Section):
    """A function and the columns it reads, in the order of its arguments."""

    function: Function = Field(description="Function that is called with the columns of `use`")
    use: Columns = Field(min_length=1, description="Columns, in the order of the arguments")
