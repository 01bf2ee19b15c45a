"""From the nodes of a file to the records of a workflow; what is wrong is noted at its node."""

from __future__ import annotations

import re
from typing import Any, Final

from hepflow.errors import did_you_mean
from hepflow.reinterpretation.workflows.references import Node
from hepflow.reinterpretation.workflows.specification import (
    INIT,
    SELECTOR,
    Process,
    Publisher,
    Scatter,
    Stage,
    Workflow,
    reference_of,
)

_NAME: Final = re.compile(r"[A-Za-z_@][\w@-]{0,99}")
_RESERVED: Final = {INIT, "logs", "_hepflow"}
_SCHEDULER: Final = ("scheduler_type", "parameters", "step")
_MULTI: Final = ("scatter", "batchsize", "partitionsize")
_NOT_RUN: Final = {"workflow", "cases", "register_values", "workflow_opts"}
PUBLISHERS: Final[dict[str, dict[str, Any]]] = {  # fields: name -> type
    "interpolated-pub": {"publish": object, "glob": bool, "relative_paths": bool},
    "frompar-pub": {"outputmap": dict},
    "fromglob-pub": {"outputkey": str, "globexpression": str},
    "constant-pub": {"publish": dict},
    "fromyaml-pub": {"yamlfile": str},
}
_OPTIONAL: Final = {"glob", "relative_paths", "interpreter"}
PROCESSES: Final[dict[str, dict[str, Any]]] = {
    "string-interpolated-cmd": {"cmd": str},
    "interpolated-script-cmd": {"script": str, "interpreter": str},
}
_KINDS: Final = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false"}
_CONTAINER_KEYS: Final = {
    *("image", "imagetag", "resources", "envscript", "env", "workdir", "par_mounts")
}


def parse(root: Node) -> Workflow:
    """Read the stages of a workflow; problems go to the source of the nodes."""
    _keys(root, {"stages": list})
    stages = root.child("stages") if isinstance(root.value, dict) else None
    found: list[Stage] = []
    named: set[str] = set()
    if stages is not None and isinstance(stages.value, list):
        named = {
            str(one["name"]) for one in stages.value if isinstance(one, dict) and "name" in one
        }
        found = [stage for _, node in stages.children() if (stage := _stage(node)) is not None]
        if not stages.value:
            stages.wrong("there is no stage")
    by_name: dict[str, Stage] = {}
    for stage in found:
        if stage.name in by_name:
            root.wrong(f"two stages have the name {stage.name!r}.")
        by_name[stage.name] = stage
    broken = frozenset(named - set(by_name))
    return Workflow(tuple(by_name.values()), root.where, by_name, broken)


def _keys(
    node: Node, known: dict[str, Any], optional: set[str] | frozenset[str] = frozenset()
) -> bool:
    """Check that a node is a mapping with the keys, each of its type; whether it can be read."""
    if not isinstance(node.value, dict):
        if node.value is not None or node.path:
            node.wrong(f"a mapping is expected here, not {_shown(node.value)}")
        return False
    sound = True
    for key, value in node.value.items():
        if key in _NOT_RUN:
            node.wrong(f"{key!r} is not run here.", "Only stages of steps are; see the guide.")
        elif key not in known:
            node.wrong(f"unknown key {str(key)!r}.", did_you_mean(str(key), known))
        elif not isinstance(node.child(key).value, known[key]) and value is not None:  # type: ignore[union-attr] # the key is there
            node.wrong(f"{key} must be {_KINDS[known[key]]}, not {_shown(value)}")
            sound = False
    for key in known:
        if node.value.get(key) is None and key not in optional:
            node.wrong(f"{key!r} is missing")
            sound = False
    return sound


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"


def _stage(node: Node) -> Stage | None:
    known = {"name": str, "dependencies": object, "scheduler": dict}
    if not _keys(node, known, {"dependencies"}):
        return None
    name = node.value["name"]
    if not _NAME.fullmatch(name) or name in _RESERVED:
        node.wrong(
            f"{name!r} can't be the name of a stage.",
            f"Letters, digits, _ and - are taken; {', '.join(sorted(_RESERVED))} are not.",
        )
    scheduler = node.child("scheduler")
    kind = str(scheduler.value.get("scheduler_type")) if scheduler is not None else ""
    if scheduler is None or kind not in {"singlestep-stage", "multistep-stage"}:
        schedulers = ("singlestep-stage", "multistep-stage")
        node.wrong(f"scheduler_type {kind!r} is not run.", did_you_mean(kind, schedulers))
        return None
    multi = kind == "multistep-stage"
    fields: dict[str, Any] = dict.fromkeys((*_SCHEDULER, *(_MULTI if multi else ())), object)
    optional = {"parameters", "batchsize", "partitionsize"}
    if not _keys(scheduler, {**fields, "scheduler_type": str}, optional):
        return None
    step = scheduler.child("step")
    return _with_step(node, scheduler, step, multi=multi) if step is not None else None


def _with_step(node: Node, scheduler: Node, step: Node, *, multi: bool) -> Stage | None:
    known = {"process": object, "publisher": dict, "environment": object}
    if step.value is None or not _keys(step, known, {"process", "environment"}):
        return None
    parameters, scatter = _parameters(scheduler), _scatter(scheduler) if multi else None
    process, publisher = _process(step), _publisher(step)
    if publisher is None:
        return None
    for name in scatter.parameters if scatter else ():
        if name not in parameters:
            hint = did_you_mean(name, parameters)
            scheduler.wrong(f"scatter: there is no parameter {name!r}.", hint)
    return Stage(
        name=node.value["name"],
        dependencies=_dependencies(node),
        parameters=parameters,
        process=process,
        publisher=publisher,
        container=_container(step),
        where=scheduler.where,
        scatter=scatter,
    )


def _dependencies(node: Node) -> tuple[str, ...]:
    value = node.child("dependencies")
    if value is None or value.value is None:
        return ()
    names = value.plain()
    if isinstance(names, dict):
        if names.get("dependency_type", "jsonpath_ready") != "jsonpath_ready":
            value.wrong(f"dependency_type {names['dependency_type']!r} is not run")
        names = names.get("expressions")
    if not isinstance(names, list):
        value.wrong("a list of names of stages is expected here")
        return ()
    found = []
    for one in names:
        match = SELECTOR.fullmatch(str(one))
        if match is None:
            value.wrong(f"{one!r} is not the name of a stage; other JSONPath is not followed")
        elif match[1] != INIT:
            found.append(match[1])
    return tuple(dict.fromkeys(found))


def _parameters(scheduler: Node) -> dict[str, Any]:
    node = scheduler.child("parameters")
    if node is None or node.value is None:
        return {}
    if isinstance(node.value, dict):
        return {key: _value(one) for key, one in node.children()}
    found = {}
    for _, one in node.children() if isinstance(node.value, list) else ():
        value = one.child("value") if isinstance(one.value, dict) else None
        if value is None or not isinstance(one.value.get("key"), str):
            one.wrong("a mapping with 'key' and 'value' is expected here")
        else:
            found[one.value["key"]] = _value(value)
    return found


def _value(node: Node) -> Any:
    if isinstance(node.value, dict) and "expression_type" in node.value:
        kind = node.value["expression_type"]
        if kind != "stage-output-selector":
            node.wrong(f"expression_type {kind!r} is not run; stage-output-selector is")
    found = reference_of(node)
    if found is not None:
        return found
    if isinstance(node.value, list):
        return [_value(one) for _, one in node.children()]
    return node.plain()


def _scatter(scheduler: Node) -> Scatter | None:
    node = scheduler.child("scatter")
    if node is None or not _keys(node, {"parameters": list, "method": str}):
        return None
    value = node.plain()
    if value["method"] not in {"zip", "cartesian"}:
        hint = did_you_mean(value["method"], ("zip", "cartesian"))
        node.wrong(f"method {value['method']!r} is not run.", hint)
        return None
    if not value["parameters"]:
        node.wrong("parameters: at least one is to be scattered")
        return None
    sizes = {}
    for name in ("batchsize", "partitionsize"):
        size = sizes[name] = scheduler.value.get(name)
        if size is not None and (type(size) is not int or size < 1):
            scheduler.wrong(f"{name} must be a whole number from 1, not {_shown(size)}")
            return None
    return Scatter(
        tuple(map(str, value["parameters"])),
        value["method"],
        batch_size=sizes["batchsize"],
        partitions=sizes["partitionsize"],
    )


def _typed(node: Node, key: str, kinds: dict[str, dict[str, Any]]) -> tuple[str, bool]:
    """Check the kind and fields of a process or publisher: the kind, and whether it is sound."""
    kind = str(node.value.get(key))
    if kind not in kinds:
        node.wrong(f"{key} {kind!r} is not run.", did_you_mean(kind, kinds))
        return kind, False
    return kind, _keys(node, {key: str, **kinds[kind]}, _OPTIONAL)


def _process(step: Node) -> Process | None:
    node = step.child("process")
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, dict):
        node.wrong("a mapping with 'process_type' is expected here")
        return None
    kind, sound = _typed(node, "process_type", PROCESSES)
    if not sound:
        return None
    if kind == "string-interpolated-cmd":
        return Process(node.value["cmd"], None, f"{node.where}.cmd")
    return Process(
        node.value["script"], node.value.get("interpreter", "sh"), f"{node.where}.script"
    )


def _publisher(step: Node) -> Publisher | None:
    node = step.child("publisher")
    if node is None or node.value is None:
        return None
    kind, sound = _typed(node, "publisher_type", PUBLISHERS)
    return Publisher(kind, node.plain(), node.where) if sound else None


def _container(step: Node) -> str | None:
    node = step.child("environment")
    if node is None or node.value is None:
        return None
    kind = node.value.get("environment_type") if isinstance(node.value, dict) else None
    if kind == "docker-encapsulated":
        _keys(
            node,
            dict.fromkeys(("environment_type", *_CONTAINER_KEYS), object),
            _CONTAINER_KEYS - {"image"},
        )
        return f"{node.value.get('image')}:{node.value.get('imagetag', 'latest')}"
    if kind != "localproc-env":
        environments = ("localproc-env", "docker-encapsulated")
        node.wrong(f"environment_type {kind!r} is not run.", did_you_mean(str(kind), environments))
    return None
