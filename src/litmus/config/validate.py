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
import inspect
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeAlias, TypeVar, cast, get_args, get_origin

from litmus.config.conf import refusal, targets
from litmus.config.plugins import OWN, find_spec, owner
from litmus.config.types import Section
from litmus.errors import UserError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}
_LOOKS_OTHERWISE = r"[-+.\de]*|true|false|null|inf|nan"  # text that is a value of another kind, unless it is quoted
LONGEST = 80  # characters of a value in a message
_LIGHT = ("typing", "annotated_types", "litmus.config.types", "litmus.spec")  # what annotations and attributes may use
# What other programs call some values.
_ELSEWHERE = {
    **dict.fromkeys(("fp16", "float16", "half", "16", "16-true"), "16-mixed"),
    **dict.fromkeys(("bf16", "bfloat16", "bf16-true"), "bf16-mixed"),
    **dict.fromkeys(("fp32", "float32", "single", "32-true"), "32"),
    **dict.fromkeys(("cuda", "mps"), "gpu"),
}
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
    elsewhere = _ELSEWHERE.get(str(value).lower())
    hint = f" Did you mean {elsewhere}?" if elsewhere in others else did_you_mean(str(value), others)
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


def list_override(key: str, values: Sequence[str]) -> str:
    """`key=[value,value]` as one types it in a shell, quoted where a value needs it; values as of `override`."""
    listed = ",".join(override("", value).removeprefix("=") for value in values)
    typed = f"{key}=[{listed}]"
    if all(map(is_plain, values)):
        return typed
    return shlex.quote(typed) if re.search(r'[\\"$`!]', typed) else f'"{typed}"'


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
        yield refusal(target, path)
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
        UserError: the target is not a class or function of litmus or of a plugin, or its source cannot be read.
    """
    module, name = _module(target)
    definition = next((node for node in module.tree.body if getattr(node, "name", None) == name), None)
    if isinstance(definition, ast.FunctionDef):
        return _annotations(definition, module)
    if isinstance(definition, ast.ClassDef):
        own = [n for n in definition.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        return _annotations(own[0], module) if own else signature(_base(definition, module, target))
    if name in module.imported:  # as a package offers what its modules define
        return signature(module.imported[name])
    raise UserError(f"{module.name} defines no {name}.")


@functools.cache
def class_attributes(target: str, names: tuple[str, ...]) -> Section:
    """Values that a class gives or inherits, such as `monitor: ClassVar = "val/acc"`, without importing it.

    They stand in the class' body, and are literals or made of what `litmus.spec` defines.

    Args:
        target: the class, or a function beside it: then of whatever class of its module has them.
        names: of the attributes; those that are not there are left out.

    Raises:
        UserError: the module is not one of litmus or of a plugin, or its source cannot be read.
    """
    module, name = _module(target)
    classes = [node for node in module.tree.body if isinstance(node, ast.ClassDef)]
    if name in module.imported and all(node.name != name for node in classes):
        return class_attributes(module.imported[name], names)
    found: Section = {}
    for definition in [node for node in classes if node.name == name] or classes:
        found |= _own_attributes(definition, names, module)
        for base in _bases(definition, module):
            found = class_attributes(base, names) | found
    return found


def _own_attributes(definition: ast.ClassDef, names: tuple[str, ...], module: "_Module") -> Section:
    found: Section = {}
    for node in definition.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        assigned = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(assigned, ast.Name) and assigned.id in names:
            found[assigned.id] = _evaluated(node.value, module)
    return found


class _Module(NamedTuple):
    """A module as its source shows it.

    Attributes:
        name: of it.
        tree: of its source.
        light: what its annotations may use: what it imports from `_LIGHT`.
        imported: names that it imports from litmus and plugins, and the targets that they are.
    """

    name: str
    tree: ast.Module
    light: dict[str, Annotation]
    imported: dict[str, str]


def _module(target: str) -> tuple[_Module, str]:
    """The module that a target is of, and its name there."""
    module_name, _, name = target.rpartition(".")
    module = _parsed(module_name)
    if module is None:
        raise UserError(f"{target} is not part of {OWN}.")
    return module, name


@functools.cache
def _parsed(module_name: str) -> _Module | None:
    """That module; None if it is neither of litmus nor of a plugin."""
    source = _source(module_name)
    if source is None:
        return None
    light: dict[str, Annotation] = {}
    try:
        tree = ast.parse(source, f"{module_name.rpartition('.')[2]}.py")  # which the error names
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        statements: list[ast.stmt] = [node for node in imports if node.module in _LIGHT and not node.level]
        exec(compile(ast.Module(statements, []), module_name, "exec"), light)
    except (SyntaxError, ImportError) as error:
        raise UserError(f"{module_name} cannot be imported: {type(error).__name__}: {error}.") from None
    found = find_spec(module_name)
    is_package = found is not None and found.submodule_search_locations is not None
    imported = {
        alias.asname or alias.name: f"{whole}.{alias.name}"
        for node in imports
        if (whole := _absolute(node, module_name, is_package)).partition(".")[0] == OWN or owner(whole)
        for alias in node.names
    }
    return _Module(module_name, tree, light, imported)


def _absolute(node: ast.ImportFrom, module_name: str, is_package: bool) -> str:
    """The module that a statement imports from, where it is relative, too."""
    if not node.level:
        return node.module or ""
    levels = node.level - is_package
    package = module_name.rsplit(".", levels)[0] if levels else module_name
    return f"{package}.{node.module}" if node.module else package


def _source(module_name: str) -> str | None:
    if module_name.partition(".")[0] != OWN and owner(module_name) is None:
        return None
    found = find_spec(module_name)
    return Path(found.origin).read_text(encoding="utf-8") if found and found.origin else None


def _evaluated(node: ast.expr, module: _Module) -> Annotation:
    try:
        return eval(compile(ast.Expression(node), "<source>", "eval"), module.light)
    except Exception as error:
        raise UserError(
            f"{module.name}, line {node.lineno}: {ast.unparse(node)} is read before anything is imported, and may only "
            f"use what is imported with `from ... import` from {', '.join(_LIGHT)}: {error}."
        ) from None


def _annotations(function: ast.FunctionDef, module: _Module) -> dict[str, Annotation]:
    keywords = function.args.kwonlyargs
    return {each.arg: _evaluated(each.annotation, module) for each in keywords if each.annotation is not None}


def _base(definition: ast.ClassDef, module: _Module, target: str) -> str:
    """The target that a class without a constructor of its own inherits from."""
    bases = _bases(definition, module)
    if not bases:
        raise UserError(f"{target} has no constructor of its own, and none that it inherits from {OWN}.")
    return bases[0]


def _bases(definition: ast.ClassDef, module: _Module) -> list[str]:
    """The targets of litmus and of plugins that a class inherits from."""
    named = [base.value if isinstance(base, ast.Subscript) else base for base in definition.bases]
    names = [base.id for base in named if isinstance(base, ast.Name)]
    beside = {node.name: f"{module.name}.{node.name}" for node in module.tree.body if isinstance(node, ast.ClassDef)}
    known = beside | module.imported
    return [known[name] for name in names if name in known]
