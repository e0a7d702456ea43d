"""What a value may be, and the check of a configuration against it.

Constructors own the types and ranges of their arguments: they annotate them with the names of
`types`, and nothing else repeats them. `@checked` enforces the annotations when a constructor is called from
Python. `mistakes` enforces them on a composed configuration before anything runs: it reads the
signatures from the source text, because importing a network would import torch, which takes longer
than a person who mistyped a key should wait.
"""

import ast
import difflib
import functools
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar, cast, get_args, get_origin

from litmus import spec
from litmus.config import types
from litmus.config.conf import targets
from litmus.config.types import Section
from litmus.errors import UserError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}
_LOOKS_OTHERWISE = r"[-+.\de]*|true|false|null|inf|nan"  # text that is a value of another kind, unless it is quoted
LONGEST = 80  # characters of a value in a message
_PACKAGE = "litmus"
_ROOT = "litmus.config.keys.settings"  # its arguments are the keys at the top level

Annotation: TypeAlias = object  # what stands behind a parameter's colon: typing has no class for all of them
Function = TypeVar("Function", bound=Callable[..., Any])


def checked(function: Function) -> Function:
    """Decorates a constructor or function: keyword arguments must satisfy their annotations.

    Raises:
        UserError: an argument has the wrong type or lies outside its range.
    """

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        for key, annotation in _keyword_annotations(function).items():
            if key in kwargs and (wrong := violation(key, kwargs[key], annotation)):
                raise UserError(wrong)
        return function(*args, **kwargs)

    return wrapper  # type: ignore[return-value]  # functools.wraps keeps the signature, mypy cannot see it


@functools.cache
def _keyword_annotations(function: Callable[..., object]) -> dict[str, Annotation]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.annotation for p in parameters if p.kind is p.KEYWORD_ONLY}


def violation(key: str, value: object, annotation: Annotation) -> str | None:
    """A sentence that says why `value` is not allowed under `key`, or None if it is."""
    if _allows(annotation, value):
        return None
    others = [str(choice) for choice in choices(annotation) if choice != value]
    hint = did_you_mean(str(value), others)
    return f"{key}={_cut(shown(value))} is not allowed.{hint} {key} is {describe(annotation)}."


def _allows(annotation: Annotation, value: object) -> bool:
    from pydantic import ValidationError  # takes a while, and --help does not need it

    try:
        _adapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True


@functools.cache
def _adapter(annotation: Annotation) -> "TypeAdapter[object]":
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(cast(Any, annotation), config=ConfigDict(strict=True, allow_inf_nan=False))


def choices(annotation: Annotation) -> list[object]:
    """The values that `annotation` lists, if it lists any."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for part in get_args(annotation) for choice in choices(part)]


def describe(annotation: Annotation) -> str:
    """What `annotation` allows, in words: `a probability in [0, 1)`, `one of relu, tanh`."""
    if get_origin(annotation) is Annotated:
        base, *notes = get_args(annotation)
        return next((note for note in notes if isinstance(note, str)), None) or describe(base)
    if get_origin(annotation) is Literal:
        words = [shown(choice) for choice in get_args(annotation)]
        return words[0] if len(words) == 1 else "one of " + ", ".join(words)
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin = get_origin(annotation)
    if origin is list or origin is dict:
        return f"a {origin.__name__}"
    return ", or ".join(describe(part) for part in get_args(annotation))


def shown(value: object) -> str:
    """As one types it on the command line."""
    if value is None:
        return "null"
    if isinstance(value, str) and re.fullmatch(_LOOKS_OTHERWISE, value, re.IGNORECASE):
        return f"'{value}'"  # text that looks like something else
    return str(value).lower() if isinstance(value, bool) else str(value)


def override(key: str, value: str) -> str:
    """`key=value` in Hydra's grammar, whatever text the value is; a shell may need quotes of its own around it.

    Source: Hydra's override grammar; within quotes, a backslash escapes a quote, and backslashes before one.
    """
    if is_plain(value):
        return f"{key}={value}"
    escaped = re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + (match[2] and rf"\{match[2]}"), value)
    return f"{key}='{escaped}'"


def is_plain(value: str) -> bool:
    """Whether a text needs no quotes, in Hydra's grammar or a shell."""
    plain = re.fullmatch(r"[A-Za-z_./][\w./-]*", value, re.ASCII)
    return bool(plain) and not re.fullmatch(_LOOKS_OTHERWISE, value, re.IGNORECASE)


def _cut(text: str) -> str:
    """A text that is too long for a sentence, without its middle."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}...{text[-LONGEST // 2 :]}"


def did_you_mean(word: str, choices: Sequence[str], prefix: str = "", cutoff: float = 0.6) -> str:
    """` Did you mean x?` for the nearest of `choices`, or nothing where none is as near as `cutoff`, in [0, 1]."""
    by_lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=cutoff)
    return f" Did you mean {prefix}{by_lower[near[0]]}?" if near else ""


def mistakes(config: Section) -> list[str]:
    """Every wrong key, type or range in a composed configuration of plain values, as sentences.

    Args:
        config: the whole configuration; each dict with a `_target_` is checked against that target.
    """
    return list(_mistakes("", config, _ROOT))


def section_mistakes(path: str, section: object) -> list[str]:
    """As `mistakes`, for one section."""
    return list(_section_mistakes(path, section))


def _mistakes(path: str, section: Section, target: str) -> Iterator[str]:
    group = path.partition(".")[0]
    if path and target not in targets().get(group, ()):
        yield f"{path}._target_={shown(target)} is none of the choices of {group}. It is not called."
        return
    allowed = signature(target)
    keys = [key for key in section if key != "_target_"]
    for key in keys:
        full = f"{path}.{key}" if path else key
        value = section[key]
        if key not in allowed:
            prefix = f"{path}." if path else ""
            hint = did_you_mean(key, list(allowed), prefix)
            yield f"There is no key {full}.{hint} {path or 'The top level'} takes: {', '.join(allowed)}."
        elif get_origin(allowed[key]) is dict:
            yield from _section_mistakes(full, value)
        elif wrong := violation(full, value, allowed[key]):
            yield wrong
    for key in allowed:
        if key not in section:
            yield f"{f'{path}.' if path else ''}{key} is missing: it is {describe(allowed[key])}."


def _section_mistakes(path: str, section: object) -> Iterator[str]:
    """A section is one component (it has a `_target_`), or a group of named ones."""
    if not isinstance(section, dict):
        yield f"{path}={shown(section)} is not allowed. {path} is a group of keys; choose one as {path}=NAME."
    elif "_target_" in section:
        yield from _mistakes(path, section, str(section["_target_"]))
    else:
        for key, child in section.items():
            if child is None:  # switched off
                continue
            if not isinstance(child, dict) or "_target_" not in child:
                others = [other for other in section if other != key]
                hint = did_you_mean(key, others, f"{path}.")
                yield f"There is no key {path}.{key}.{hint} {path} holds: {', '.join(others)}."
            else:
                yield from _mistakes(f"{path}.{key}", child, str(child["_target_"]))


@functools.cache
def signature(target: str) -> dict[str, Annotation]:
    """Keyword-only arguments and annotations of `litmus.model.cnn.CNN` and the like, without importing it.

    Raises:
        UserError: the target is not a class or function that this package defines.
    """
    module_name, _, name = target.rpartition(".")
    source = _source(module_name)
    if source is None:
        raise UserError(f"{target} is not part of {_PACKAGE}.")
    tree = ast.parse(source)
    namespace = _light_namespace(tree)
    definition = next((node for node in tree.body if getattr(node, "name", None) == name), None)
    if isinstance(definition, ast.FunctionDef):
        return _annotations(definition, namespace)
    if isinstance(definition, ast.ClassDef):
        own = [n for n in definition.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        return _annotations(own[0], namespace) if own else signature(_base(definition, tree, target))
    raise UserError(f"{module_name} defines no {name}.")


@functools.cache
def class_attributes(target: str, names: tuple[str, ...]) -> Section:
    """Values that a class gives or inherits, such as `monitor: ClassVar = "val/acc"`, without importing it.

    They stand in the class' body, and are literals or made of what `litmus.spec` defines.

    Args:
        target: the class, or a function beside it: then of whatever class of its module has them.
        names: of the attributes; those that are not there are left out.

    Raises:
        UserError: the module is not one of this package.
    """
    module_name, _, name = target.rpartition(".")
    source = _source(module_name)
    if source is None:
        raise UserError(f"{target} is not part of {_PACKAGE}.")
    tree = ast.parse(source)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    found: Section = {}
    for definition in [node for node in classes if node.name == name] or classes:
        found |= _own_attributes(definition, names, _light_namespace(tree))
        for base in _bases(definition, tree, module_name):
            found = class_attributes(base, names) | found
    return found


def _own_attributes(definition: ast.ClassDef, names: tuple[str, ...], namespace: dict[str, Annotation]) -> Section:
    found: Section = {}
    for node in definition.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        assigned = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(assigned, ast.Name) and assigned.id in names:
            found[assigned.id] = eval(compile(ast.Expression(node.value), "<attribute>", "eval"), namespace)
    return found


def _source(module_name: str) -> str | None:
    if module_name.split(".")[0] != _PACKAGE:
        return None
    try:
        found = importlib.util.find_spec(module_name)
    except ModuleNotFoundError:
        return None
    return Path(found.origin).read_text(encoding="utf-8") if found and found.origin else None


def _light_namespace(tree: ast.Module) -> dict[str, Annotation]:
    """The names that an annotation may use: those from `typing`, `litmus.config.types` and `litmus.spec`."""
    light = ("typing", types.__name__, spec.__name__)
    imports: list[ast.stmt] = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module in light]
    namespace: dict[str, Annotation] = {}
    exec(compile(ast.Module(imports, []), "<annotations>", "exec"), namespace)
    return namespace


def _annotations(function: ast.FunctionDef, namespace: dict[str, Annotation]) -> dict[str, Annotation]:
    return {
        argument.arg: eval(compile(ast.Expression(argument.annotation), "<annotation>", "eval"), namespace)
        for argument in function.args.kwonlyargs
        if argument.annotation is not None
    }


def _base(definition: ast.ClassDef, tree: ast.Module, target: str) -> str:
    """The target that a class without a constructor of its own inherits from."""
    bases = _bases(definition, tree, target.rpartition(".")[0])
    if not bases:
        raise UserError(f"{target} has no constructor of its own, and none that it inherits from {_PACKAGE}.")
    return bases[0]


def _bases(definition: ast.ClassDef, tree: ast.Module, module_name: str) -> list[str]:
    """The targets of this package that a class inherits from."""
    named = [base.value if isinstance(base, ast.Subscript) else base for base in definition.bases]
    names = [base.id for base in named if isinstance(base, ast.Name)]
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_PACKAGE)
        for alias in node.names
    }
    beside = {node.name: f"{module_name}.{node.name}" for node in tree.body if isinstance(node, ast.ClassDef)}
    targets = beside | imported
    return [targets[name] for name in names if name in targets]
