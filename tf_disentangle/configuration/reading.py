"""Reads gin files and --gin_param, and remembers where each binding was made.

gin 0.5 keeps no record of this. So the statements come from gin's own parser, but are
carried out here, one by one: every mistake is reported with its file, its line and the
nearest names.
"""

from __future__ import annotations

import pathlib
import re
import sys
import tokenize
import traceback
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import gin

from tf_disentangle import checks
from tf_disentangle.configuration import names
from tf_disentangle.configuration.locations import (
    MACRO,
    Key,
    Origin,
    Source,
    gin_root,
    origins,
    shown,
    value_of,
)

_OPENING = set("([{\"'")
_OF_LIBRARY = "the resolved configuration"


def read(
    files: Sequence[str],
    bindings: Sequence[str],
    text: str = "",
    option: str = "--gin_param",
) -> None:
    """Replaces gin's state by these files, then `text`, and then these bindings.

    Args:
        files: Paths, or names below `gin_root()`.
        bindings: One statement each.
        text: Statements that the library wrote: one without an effect is no mistake.
        option: How errors name the source of the bindings.

    Raises:
        ArgumentError: For a file that is not there, or anything that gin or the rules
            of `_bind` do not accept.
    """
    gin.clear_config()
    origins.clear()
    for file in files:
        _read_file(named_file(file))
    if text:
        _read_text(text, Source(_OF_LIBRARY, is_library=True))
    for binding in bindings:
        _read_text(binding, Source(f"{option}={binding!r}"))
    _check_macros()
    try:
        # It would lock gin, and a module that is imported later, such as that of a run
        # that is loaded, could register nothing.
        with gin.unlock_config():
            gin.finalize()
    except ValueError as error:  # as for @name/macro without parentheses
        text = str(error).split(" in config string:")[0]
        raise checks.ArgumentError(text) from error


def named_file(file: str) -> Source:
    """Returns the file that a path or a name below `gin_root()` means.

    Raises:
        ArgumentError: If there is none, with the nearest names.
    """
    # The pages write gin/vae.gin, as it is in a clone; elsewhere it means the same.
    names = [file, file.removeprefix("gin/")]
    for name, folder in zip(names, [pathlib.Path.cwd(), gin_root()], strict=True):
        if path := next(_files(name, [folder]), None):
            return Source(file, path)
    is_folder = file and pathlib.Path(file).is_dir()
    remedy = "" if is_folder else _nearest_file(pathlib.Path(file))
    received = f"{file}, a folder" if is_folder else file
    rule = f"be a file, or a name in {gin_root()}"
    raise checks.ArgumentError(checks.message("gin_file", rule, received, remedy))


def _nearest_file(file: pathlib.Path) -> str:
    """Returns the hint for a path that is no file: one of that name, or a near one.

    Files in the folder that it names come before those of `gin_root()`.
    """
    root = gin_root()
    for path in sorted(root.rglob("*.gin")):
        if file.name in (path.name, path.stem):
            return f"Did you mean {path.relative_to(root).as_posix()}?"
    inside = pathlib.Path(file.as_posix().removeprefix("gin/")).parent
    for parent, place in ((file.parent, pathlib.Path()), (inside, root)):
        names = [path.name for path in (place / parent).glob("*.gin")]
        if close := checks.close_names(file.name, names):
            paths = ((parent / name).as_posix() for name in close)
            return f"Did you mean {' or '.join(paths)}?"
    return checks.nearest(file.name, [path.name for path in root.glob("*.gin")])


def _files(file: str, folders: Iterable[pathlib.Path]) -> Iterator[pathlib.Path]:
    """Yields the absolute path of `file` in each of the folders that has it."""
    paths = (folder / pathlib.Path(file).expanduser() for folder in folders)
    return (path.absolute() for path in paths if path.is_file())


def _read_file(source: Source) -> None:
    _read_text(text_of(source), source)


def text_of(source: Source) -> str:
    """Returns a file's text.

    Raises:
        ArgumentError: If it cannot be read, or is no text.
    """
    try:
        return source.path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        is_binary = isinstance(error, UnicodeDecodeError)
        rule = "be a text file in UTF-8" if is_binary else "be readable"
        message = checks.message("gin_file", rule, source.name, str(error))
        raise checks.ArgumentError(message) from error


def _read_text(text: str, source: Source) -> None:
    """Carries out each statement of `text`."""
    with gin.config._parse_scope() as context:
        for statement, where in statements(text, source, _Delegate()):
            if isinstance(statement, gin.config_parser.BindingStatement):
                _bind(statement, where)
            elif isinstance(statement, gin.config_parser.BlockDeclaration):
                names.find(statement.selector, where)
            elif isinstance(statement, gin.config_parser.IncludeStatement):
                _read_file(included(statement.filename, where))
            else:
                _import(context, statement, where)
        gin.config._IMPORTS.update(context.imports)


class _UnknownReference(NamedTuple):
    """Stands for a reference @name to something that gin does not know."""

    name: str


class _Delegate(gin.config.ParserDelegate):
    """Makes references; `_bind` refuses the unknown ones, with their line."""

    def configurable_reference(self, scoped_selector: str, evaluate: bool) -> Any:
        """Returns the reference, or a mark for one that is unknown."""
        selector = scoped_selector.rsplit("/", 1)[-1]
        try:
            part = gin.config._parse_context().get_configurable(selector)
        except (KeyError, NameError, AttributeError, ValueError):
            part = None
        if part is None:
            return _UnknownReference(selector)
        return super().configurable_reference(scoped_selector, evaluate)


def statements(
    text: str, source: Source, delegate: gin.config_parser.ParserDelegate
) -> Iterator[tuple[Any, Origin]]:
    """Yields gin's statements and where each stands.

    Args:
        text: Of a file, or a binding.
        source: Where it is from.
        delegate: Makes the values of references and macros.

    Raises:
        ArgumentError: For a syntax error, with its line.
    """
    # Python's parser counts these alone; splitlines knows other ends of lines.
    lines, line = text.removesuffix("\n").split("\n"), 0
    try:
        for statement in gin.config_parser.ConfigParser(text, delegate):
            line = statement.location.line_num
            content = statement.location.line_content.strip()
            yield statement, Origin(source, line, content)
        return
    except SyntaxError as error:
        line, reason = error.lineno or 1, error.msg
    except tokenize.TokenError as error:
        # It names the end of the text, not the statement that goes on to there.
        reason = error.args[0]
        opened = (i for i, t in enumerate(lines, 1) if i > line and set(t) & _OPENING)
        line = next(opened, len(lines))
    shown = lines[min(line, len(lines)) - 1].strip()
    raise checks.ArgumentError(
        f"{Origin(source, line, shown)}: {_syntax(reason, shown, source)}"
    )


#: Our words for syntax errors: part of gin's message, the argument, its rule.
_VALUE = "be a number, a 'string', True, False, None, a list, @function or %macro"
_SYNTAX = (
    ("Expected newline", "the line", "end after one value (gin has no arithmetic)"),
    ("Unable to parse value", "the value", _VALUE),
    ("Expected ')'", "@function()", "have nothing between its parentheses"),
    ("Expected ','", "the line", "have commas between values in brackets"),
    ("EOF in multi-line", "the line", "close its brackets and quotes"),
    ("Malformatted", "the line", "name FUNCTION.PARAMETER, without spaces"),
    ("Unexpected token", "the line", "have a name at its start and after @ and %"),
    ("Expected indentation", "the line", "be indented, in the block above"),
    ("", "the line", "be NAME = VALUE, include 'FILE' or import MODULE"),
)


def _syntax(reason: str, line: str, source: Source) -> str:
    """Returns our words for a syntax error of gin's parser."""
    token = re.search(r"Failed to parse token '(.*)'", reason, re.DOTALL)
    if token is None or line.startswith("include"):
        argument, rule = next(row[1:] for row in _SYNTAX if row[0] in reason)
        return checks.message(argument, rule, line)
    word = token[1]
    constant = {"true": "True", "false": "False", "none": "None"}.get(word.lower())
    if constant:
        remedy = f"Did you mean {constant}?"
    elif word in names.known():
        remedy = f"Did you mean @{word}?"
    elif source.path is None:
        remedy = f"The shell removes quotes. Write --gin_param='NAME=\"{word}\"'."
    else:
        remedy = f"Strings need quotes: {word!r}."
    return checks.message("the value", _VALUE, word, remedy)


def included(file: str, where: Origin) -> Source:
    """Returns the file that an include means.

    In a user's file, it is the file beside it, as on the command line; in the library's
    own files, "datasets/x.gin" is the library's, whatever lies beside the user's file.
    No file includes itself: in the user's vae.gin, 'vae.gin' is the library's.
    """
    includers = [s.path for s in where.source.chain() if s.path is not None]
    beside = [path.parent for path in includers]
    folders = [gin_root(), *beside, pathlib.Path.cwd()]
    if includers and not _is_of_library(includers[0]):
        folders.insert(0, beside[0])
    found = list(_files(file, folders))
    if not found:
        files = [str(p.relative_to(gin_root())) for p in gin_root().rglob("*.gin")]
        rule = f"name a file beside this one or in {gin_root()}"
        raise where.error("include", rule, file, checks.nearest(file, files))
    path = next((path for path in found if path not in includers), None)
    if path is None:
        rule = "not include a file that includes this one"
        raise where.error("a file", rule, file)
    return Source(file, path, where)


def _is_of_library(path: pathlib.Path) -> bool:
    return path.resolve().is_relative_to(gin_root().resolve())


def _import(context: Any, statement: Any, where: Origin) -> None:
    """Imports a module of the user's, which may fail in any way."""
    module, before = statement.module, names.ambiguous()
    try:
        context.process_import(statement)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        at = f" ({frame.filename}, line {frame.lineno})"
        if isinstance(error, SyntaxError):
            at = ""  # The message says it.
        elif isinstance(error, ModuleNotFoundError) and module.startswith(error.name):
            at = ". The current folder and what is installed were searched"
        raise checks.ArgumentError(
            f"{where}: {module} must be a module that can be imported; received "
            f"{type(error).__name__}: {error}{at}. {checks.see('your_own_parts')}"
        ) from error
    taken = sorted(names.ambiguous() - before)
    if taken:
        remedy = "Give it another: @gin.register('my_name')."
        rule = "register names that are new"
        raise where.error(module, rule, ", ".join(taken), remedy)


def modules() -> dict[str, pathlib.Path]:
    """Returns the files of the modules that the gin files import, by module name."""
    imported = [sys.modules.get(s.module) for s in gin.config._IMPORTS]
    files = {m.__name__: getattr(m, "__file__", None) for m in imported if m}
    return {name: pathlib.Path(file) for name, file in files.items() if file}


def _bind(statement: Any, where: Origin) -> None:
    """Binds one value, after checking names and what it would overwrite.

    A later binding wins over an earlier one, so that a file can change what it
    includes, and the command line all files. Bindings that would silently lose a
    setting are refused: the same one twice in one file, or again in a file that is
    included after it.
    """
    scope, selector, parameter, value, _ = statement
    for item in gin.config._iterate_flattened_values(value):
        if isinstance(item, _UnknownReference):
            names.find(item.name, where)
    if parameter:
        configurable = names.find(selector, where)
        if configurable.selector == MACRO:
            rule = "be written NAME = VALUE"
            raise where.error("a macro", rule, f"{selector}.{parameter}")
        names.check_parameter(configurable, selector, parameter, where)
        key = Key(scope, configurable.selector, parameter)
    else:
        key = Key(f"{scope}/{selector}" if scope else selector, MACRO, "value")
    before = origins.get(key)
    if before is not None and before.source in where.source.chain():
        twice = before.source == where.source
        rule = "be bound once in a file" if twice else "come after the include"
        reason = f"It is overwritten by {where}."
        remedy = "Remove one of the two." if twice else "Put the include first."
        raise checks.ArgumentError(
            f"{before}: {shown(key)} must {rule}; received {before.text!r}. "
            f"{reason} {remedy}"
        )
    origins[key] = where
    if (key.function, key.parameter) == ("train", "metrics"):
        value = _named_metrics(value)
    # Under dynamic_registration gin looks names up as they were imported.
    name = selector if parameter else MACRO
    gin.bind_parameter((key.scope, name, key.parameter), value)


def _named_metrics(value: Any) -> Any:
    """Replaces 'factor_vae' by @factor_vae_score, so that its bindings are used."""
    if not isinstance(value, list | tuple):
        return value
    from tf_disentangle import registry

    # Objectives have such names too; those of no kind are the user's own.
    known = {n for n in names.known() if registry.kind_of(n) in ("metrics", "")}

    def reference(item: Any) -> Any:
        forms = (item, f"{item}_score", f"{item}_scores")
        name = next((f for f in forms if isinstance(item, str) and f in known), None)
        return gin.config.ConfigurableReference(name, False) if name else item

    return type(value)(map(reference, value))


def _check_macros() -> None:
    """Checks that every %macro is defined, and that every value is bound."""
    macros = [key.scope for key in origins if key.selector == MACRO]
    for key, where in origins.items():
        for reference in gin.config.iterate_references(value_of(key)):
            name, selector = reference.config_key
            if selector == MACRO and name not in macros:
                rule = f"be defined, by a line {name} = VALUE"
                remedy = checks.suggestion(name, macros)
                raise where.error("a macro", rule, f"%{name}", remedy)
            if name == "gin.REQUIRED":
                raise where.error(shown(key), "be bound to a value", f"%{name}")
