"""What may stand where: walking the annotations of the configuration models by path."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Step = str | int
Location = Sequence[Step]


def format_path(location: Location, prefix: str = "") -> str:
    """Write a location as in Python: ``channels[0].observables[2].binning``.

    Examples
    --------
    >>> format_path(("channels", 0, "name"))
    'channels[0].name'
    """
    path = prefix
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f"{'.' if path else ''}{step}"
    return path


def alternatives(annotation: Any) -> list[Any]:
    """Members of a union (or the annotation itself), with ``Annotated`` peeled off."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return alternatives(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return [one for arg in get_args(annotation) for one in alternatives(arg)]
    return [annotation]


def is_model(annotation: Any) -> bool:
    """Whether the annotation is a configuration model."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Models among the alternatives."""
    return [one for one in alternatives(annotation) if is_model(one)]


def names_of(name: str, info: FieldInfo) -> list[str]:
    """Names under which a field may be written, its own first."""
    choices = getattr(info.validation_alias, "choices", ())
    return list(dict.fromkeys((name, *(str(choice) for choice in choices))))


def valid_keys(model: type[BaseModel]) -> list[str]:
    """Names that may be written in a model, aliases included."""
    return [key for name, info in model.model_fields.items() for key in names_of(name, info)]


def field_named(model: type[BaseModel], key: object) -> str | None:
    """Field that is meant by `key`, which may be an alias; None where there is none."""
    for name, info in model.model_fields.items():
        if key in names_of(name, info):
            return name
    return None


def field_annotation(info: FieldInfo) -> Any:
    """Annotation of a field with its constraints."""
    annotation: Any = info.annotation
    for constraint in info.metadata:
        annotation = Annotated[annotation, constraint]
    return annotation


def below(annotation: Any, step: Step) -> Any:
    """Annotation one step below, with its constraints; None where nothing can stand."""
    for one in alternatives(annotation):
        origin, args = get_origin(one), get_args(one)
        if one is Any:
            return Any
        if isinstance(step, int):
            if origin in {list, Sequence}:
                return args[0]
            if origin is tuple:
                return args[step] if step < len(args) else None
        elif is_model(one):
            name = field_named(one, step)
            if name:
                return field_annotation(one.model_fields[name])
        elif origin in {dict, Mapping}:
            return args[1]
    return None


def annotation_at(root: Any, location: Location) -> Any:
    """Annotation at a location; None where nothing can stand."""
    for step in location:
        root = below(root, step)
    return root


def holds_function(annotation: Any) -> bool:
    """Whether a value of this type is a function or has one somewhere below."""
    for one in alternatives(annotation):
        if get_origin(one) is Callable:
            return True
        if is_model(one):
            parts = [info.annotation for info in one.model_fields.values()]
        else:
            parts = [arg for arg in get_args(one) if is_model(arg) or get_origin(arg) is not None]
        if any(holds_function(part) for part in parts):
            return True
    return False
