"""Commands as the manual shows them: whether the Makefile has the target, and the command line the option.

Nothing is run. A command line is judged by the parser that would read it. Required arguments may be left out, since a
sentence names `python -m topics delete` without them; a word in capitals, or one that ends in an ellipsis, stands for
a value.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from itertools import dropwhile
from pathlib import Path, PurePath
from typing import Any

import typer.main
from typer.core import TyperGroup

from infrastructure.home import ROOT
from iot.__main__ import app as iot_app

PROGRAMS: dict[str, Callable[[], Any]] = {
    "iot": cache(lambda: typer.main.get_command(iot_app)),
}
"""Programs of this repository that are started by their name, and what makes their click command."""

PYTHON = re.compile(r"python(3(\.\d+)?)?")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*|.*…")
TARGET = re.compile(r"^([\w-]+)\s*:(?!=)", re.MULTILINE)
_SEPARATORS = frozenset(["|", "||", "&&", ";", "&", "(", ")"])
MAIN = 'if __name__ == "__main__":'
_SUBSTITUTED = "SUBSTITUTED"


def wrong(text: str) -> Iterator[str]:
    """What is wrong with each command in a piece of shell text, or in the output of a command."""
    for line in re.sub(r"\\\n[ \t]*", " ", text).splitlines():
        for command in _commands(line):
            yield from (f"`{shlex.join(command)}`: {complaint}" for complaint in _wrong_command(command))


def commands(text: str) -> list[list[str]]:
    """The commands of this repository in a piece of text, each as its words, without assignments in front."""
    return [command for line in re.sub(r"\\\n[ \t]*", " ", text).splitlines() for command in _commands(line)]


def _commands(line: str) -> Iterator[list[str]]:
    line = line.strip().removeprefix("$ ")
    if _starts_one(line):
        yield from _of_shell(line)
        return
    # What a command prints names others in a column of its own, with commas between them.
    for column in re.split(r"\s{2,}", line):
        for part in column.split(", "):
            if _starts_one(part):
                yield from _of_shell(part)
    yield from (each for inner in _substitutions(line)[1] for each in _of_shell(inner))


def _starts_one(text: str) -> bool:
    for word in text.split():
        if not ASSIGNMENT.fullmatch(word):
            return _is_program(word) or word == "docker"
    return False


def _is_program(word: str) -> bool:
    directory, _, program = word.rpartition("/")
    if directory and PurePath(directory).name != "bin":
        return False
    return program == "make" or program in PROGRAMS or PYTHON.fullmatch(program) is not None


def _of_shell(line: str) -> Iterator[list[str]]:
    """The commands of a line of shell: those in a pipe and those in ``$(…)`` each for themselves."""
    line, inner = _substitutions(line)
    for each in inner:
        yield from _of_shell(each)
    plain = re.sub(r"(^|\s)#.*|(?<=\s)\d(?=[<>])", "", line)  # without a comment, and without numbers of descriptors
    lexer = shlex.shlex(plain, posix=True, punctuation_chars="|&;()<>")
    lexer.whitespace_split, lexer.commenters = True, ""
    command: list[str] = []
    skip = False
    for token in [*lexer, ";"]:
        if skip:  # the file of a redirection
            skip = False
        elif set(token) <= set("<>&") and set(token) & set("<>"):
            skip = True
        elif token in _SEPARATORS:
            yield from _of_this_repository(command)
            command = []
        else:
            command.append(token)


def _substitutions(line: str) -> tuple[str, list[str]]:
    """A line with a word in place of each ``$(…)``, and what stood in these."""
    inner = []
    while (start := line.find("$(")) >= 0:
        depth, end = 1, start + 2
        while depth and end < len(line):
            depth += {"(": 1, ")": -1}.get(line[end], 0)
            end += 1
        inner.append(line[start + 2 : end - (depth == 0)])
        line = line[:start] + _SUBSTITUTED + line[end:]
    return line, inner


def _of_this_repository(command: list[str]) -> Iterator[list[str]]:
    words = list(command)
    while words and ASSIGNMENT.fullmatch(words[0]):
        words.pop(0)
    if words and words[0] == "docker":  # what is run in a container
        words = words[next((at for at, word in enumerate(words) if _is_program(word)), len(words)) :]
    if words and _is_program(words[0]):
        yield words


def _wrong_command(command: list[str]) -> Iterator[str]:
    program, *words = command
    program = PurePath(program).name
    if program == "make":
        yield from _wrong_make(words)
    elif program in PROGRAMS:
        yield from _wrong_words(PROGRAMS[program](), program, words)
    elif words[:1] == ["-m"]:
        yield from _wrong_module(words[1:])
    # A file without a directory is the reader's own.
    elif words and "/" in words[0] and words[0].endswith(".py") and not (ROOT / words[0]).is_file():
        yield f"there is no file {words[0]}"


def _wrong_make(words: Sequence[str]) -> Iterator[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(TARGET.findall(makefile))
    for word in words:
        variable = word.strip("[]").partition("=")
        if variable[1]:
            if not re.search(rf"\$\({variable[0]}\)|^{variable[0]}\b", makefile, re.MULTILINE):
                yield f"the Makefile has no variable {variable[0]}"
        elif word not in targets and not PLACEHOLDER.fullmatch(word):
            yield f"the Makefile has no target {word}"


def _wrong_module(words: Sequence[str]) -> Iterator[str]:
    if not words:
        yield "-m wants a module"
        return
    module, *rest = words
    if PLACEHOLDER.fullmatch(module):
        return
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        yield f"there is no module {module}"
    elif found.origin is None or ROOT not in PurePath(found.origin).parents or ".venv" in found.origin:
        return  # somebody else's: pip, venv, pytest
    elif (app := _app(module, is_package=found.submodule_search_locations is not None)) is not None:
        yield from _wrong_words(app, f"python -m {module}", rest)
    elif rest or MAIN not in Path(found.origin).read_text(encoding="utf-8"):
        yield f"{module} is no command that takes this: it has no `app`"


@cache
def _app(module: str, *, is_package: bool) -> Any:
    """The click command that ``python -m`` of this module runs."""
    try:
        imported = import_module(f"{module}.__main__" if is_package else module)
    except ModuleNotFoundError:
        return None
    app = getattr(imported, "app", None)
    return typer.main.get_command(app) if isinstance(app, typer.Typer) else None


def _wrong_words(command: Any, called: str, words: Sequence[str]) -> Iterator[str]:
    """What a click command, or the command of a group that the words name, does not take."""
    words = [word for word in words if word != "--help"]
    try:
        while isinstance(command, TyperGroup) and (words := _behind_flags(command, words)):
            context: Any = command.make_context(called, list(words), resilient_parsing=True)
            rest = [*context._protected_args, *context.args]  # click has no other way to ask
            _parse(command, called, words[: max(0, len(words) - len(rest))])
            if not rest or PLACEHOLDER.fullmatch(rest[0]):
                return
            context.resilient_parsing = False
            name, command, words = command.resolve_command(context, rest)
            called = f"{called} {name}"
        _parse(command, called, words)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        yield error.format_message().splitlines()[0]


def _behind_flags(command: Any, words: Sequence[str]) -> list[str]:
    """The words without flags such as ``--version`` in front, which act as soon as they are read."""
    parameters = command.get_params(command.context_class(command))
    flags = {name for parameter in parameters if parameter.is_eager for name in parameter.opts}
    return list(dropwhile(flags.__contains__, words))


def _parse(command: Any, called: str, words: Sequence[str]) -> None:
    """Raise click's error for an option, a value or an argument that the command does not take."""
    context = command.context_class(command, info_name=called, **command.context_settings)
    # `[--from]` says that there is the option; what it takes is another matter.
    optional = [word.strip("[]") for word in words if word.startswith("[--")]
    known = {name for parameter in command.get_params(context) for name in (*parameter.opts, *parameter.secondary_opts)}
    for option in optional:
        if option not in known:
            context.fail(f"No such option: {option}")
    values, rest, order = command.make_parser(context).parse_args(
        [word for word in words if not word.startswith("[--")]
    )
    if rest:
        context.fail(f"Got unexpected extra argument(s) ({' '.join(rest)})")
    for parameter in order:
        given = values.get(parameter.name)
        every = [str(each) for each in (given if isinstance(given, list | tuple) else [given])]
        if given is not None and parameter.callback is None and not any(PLACEHOLDER.fullmatch(each) for each in every):
            parameter.process_value(context, given)
