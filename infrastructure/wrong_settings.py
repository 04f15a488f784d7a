"""What is wrong with settings that are malformed, or that there are not, in words that say what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from infrastructure.home import VARIABLE

OTHERS = frozenset({VARIABLE, "IOT_KAFKA_ADMIN_PASSWORD", "IOT_REDIS_ADMIN_PASSWORD"})
"""Variables that are no settings: the first tells the command where it is at home, the others are Docker Compose's."""

EVERY = "docs/reference/settings.md has every one"


def described(error: ValidationError, hidden: Collection[str], patterns: Mapping[str, str]) -> Iterator[str]:
    """A line for each malformed setting, with what was given, unless the setting is ``hidden`` or may hold a login.

    ``patterns``: what a value must be that does not match one of these.
    """
    for wrong in error.errors():
        variable = str(wrong["loc"][0])
        text = str(wrong["input"])
        given = "" if variable in hidden or "@" in text else f" (it is {text!r})"
        yield f"{variable}: {_words(wrong['type'], wrong.get('ctx', {}), patterns) or wrong['msg']}{given}"


def _words(kind: str, context: Mapping[str, Any], patterns: Mapping[str, str]) -> str | None:
    """What a value must be that pydantic refuses for an error of this kind; None for one that no setting has."""
    match kind:
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return "must be a whole number"
        case "greater_than_equal":
            return f"must be at least {context['ge']:,}"
        case "less_than_equal":
            return f"must be at most {context['le']:,}"
        case "literal_error":
            return f"must be {str(context['expected']).replace(chr(39), '')}"
        case "string_pattern_mismatch":
            return patterns.get(context["pattern"])
        case "value_error":
            return str(context["error"])
        case _ if kind.startswith("time_delta"):
            return "must be a duration: a number of seconds, or ISO 8601 as PT90S or P2DT10S"
    return None


def unknown(given: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Names that look like settings and are none; to each the nearest setting, or an empty text."""
    names = [name for name in given if name.upper().startswith("IOT_") and name.upper() not in OTHERS]
    found = {}
    for name in names:
        if name.upper() not in known:
            near = get_close_matches(name.upper(), known, n=1, cutoff=0.75)
            found[name] = near[0] if near else ""
    return found


def no_such(name: str, near: str) -> str:
    """That there is no setting of this name, and which one may be meant."""
    return f"{name} is no setting, and does nothing: " + (f"is {near} meant?" if near else EVERY)
