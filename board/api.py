"""The HTTP API: which series there are, their points in a range, their latest values. Times are epoch ms, UTC.

``/openapi.json`` describes it, ``/docs`` shows the same without a network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import ResponseError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse

from board import queries
from board.reader import Reader, RedisAwayError
from board.timerange import day_end, milliseconds
from topics.series import OF_NAME

WHAT = "Which series there are, their points in a range, their latest values. Times are epoch ms, UTC."
MOST_POINTS = 10_000
MOST_SERIES = 1000
KINDS = tuple(OF_NAME)
WORD = r"^[\w.:°%/-]{1,200}$"
"""A key, or a label's value: nothing that is a sign of a filter of RedisTimeSeries."""
LONGEST_BUCKET = 366 * 86_400_000

Aggregation = Literal["avg", "sum", "min", "max", "count", "first", "last", "range", "std.p", "std.s", "var.p", "var.s"]
Word = Annotated[str, Field(pattern=WORD)]


class Error(BaseModel):
    """What was wrong, in words."""

    error: str


class Series(BaseModel):
    """A series: its key in Redis, and its labels."""

    key: str = Field(examples=["AggDayTH1"])
    labels: dict[str, str] = Field(
        examples=[{"site": "home", "sensor": "TH1", "series": "AggDay", "unit": "°C"}],
        description="site, sensor, series (its kind), unit of the values",
    )


class Latest(Series):
    """The newest point of a series."""

    time: int = Field(description="epoch ms, UTC", examples=[1577836800000])
    value: float = Field(
        description="in the unit of the label `unit`; of AggDayCount a number of readings", examples=[22.6]
    )


class Points(BaseModel):
    """Points of a series in the order of time."""

    key: str
    start: int = Field(serialization_alias="from", description="epoch ms, UTC, included")
    end: int = Field(serialization_alias="to", description="epoch ms, UTC, included")
    aggregation: Aggregation | None = Field(description="null: the points as they are stored")
    bucket: int | None = Field(description="ms; a bucket is stamped with its start")
    points: list[tuple[int, float]] = Field(
        description="epoch ms and value, in the series' unit", examples=[[[1577836800000, 22.6]]]
    )


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "an argument is wrong"},
    503: {"model": Error, "description": "Redis does not answer"},
}


class Filter(BaseModel):
    """Labels, all of which must match."""

    model_config = ConfigDict(extra="forbid")

    site: Word | None = Field(None, description="for instance home")
    sensor: Word | None = Field(None, description="for instance TH1")
    series: Word | None = Field(None, description=", ".join(KINDS))
    unit: Word | None = Field(None, description="for instance Wh")
    prefix: str = Field("", pattern=r"^[\w.-]{0,64}$", description="of IOT_PREFIX; empty: the live ones")

    def words(self) -> list[str]:
        """As RedisTimeSeries takes them; at least one of them selects."""
        chosen = {name: value for name, value in self if value is not None}
        if self.series is None:
            chosen["series"] = f"({','.join(KINDS)})"
        return [f"{name}={value}" for name, value in chosen.items()]


class Range(BaseModel):
    """Which points of which series."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    key: Word = Field(description="of the series in Redis, for instance AggDayTH1")
    start: str = Field("0", alias="from", description="ISO 8601, UTC where it has no offset, or epoch ms; included")
    end: str = Field("", alias="to", description="the same, a day as a whole; empty: the newest point")
    aggregation: Aggregation | None = Field(
        None, description="without it the points as they are stored, if they are not too many"
    )
    bucket: int | None = Field(None, ge=1, le=LONGEST_BUCKET, description="ms; without it as wide as max_points asks")
    max_points: int = Field(1000, ge=2, le=MOST_POINTS, description="in the answer")

    def ends(self) -> tuple[int, int]:
        """Epoch ms, both included. Raises ``HTTPException`` for what is no time."""
        try:
            start, end = milliseconds(self.start), day_end(self.end) if self.end else NOW_AND_LATER
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        if end < start:
            raise HTTPException(400, "`to` is before `from`")
        return start, end


class Asking:
    """What the routes ask Redis. Raises ``HTTPException`` for what Redis refuses."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def newest(self, chosen: Filter) -> list[Any]:
        """Key, labels and newest point of each series, by key."""
        [found] = self._reader.ask([("TS.MGET", "WITHLABELS", "FILTER", *chosen.words())])
        if isinstance(found, ResponseError):
            raise HTTPException(400, f"Redis refuses: {found}")
        if len(found) > MOST_SERIES:
            raise HTTPException(400, f"{len(found):,} series match, and at most {MOST_SERIES:,} are told: filter more")
        return sorted(found)

    def points(self, key: str, start: int, end: int, *more: str) -> list[tuple[int, float]]:
        """By TS.RANGE with more words."""
        [answer] = self._reader.ask([("TS.RANGE", key, str(start), str(end), *more)])
        if isinstance(answer, ResponseError):
            if re.search("does not exist|not a TSDB key|WRONGTYPE", str(answer)):
                raise HTTPException(404, f"there is no series {key}: /api/series lists them")
            raise HTTPException(400, f"Redis refuses: {answer}")
        return [(at, float(value)) for at, value in answer]

    def bucket(self, key: str, start: int, end: int, most: int) -> tuple[int, int] | None:
        """Start and width (ms) of buckets of which fewer than ``most`` hold every point; None without points."""
        oldest = self.points(key, start, end, "COUNT", "1")
        if not oldest:
            return None
        first, until = oldest[0][0], end
        # Each look comes closer to the last point: a range without an end would have one bucket.
        before, bucket = 0, queries.bucket_for(until - first, most, 1000)
        while bucket != before:
            held = self.points(key, first, until, "ALIGN", str(first), "AGGREGATION", "count", str(bucket))
            until = min(until, held[-1][0] + bucket)
            before, bucket = bucket, queries.bucket_for(until - first, most, 1000)
        return first, bucket


def router(reader: Reader) -> APIRouter:
    """The routes below /api."""
    routes = APIRouter(prefix="/api", tags=["series"], responses=REFUSALS)
    asking = Asking(reader)

    @routes.get("/series")
    def series(chosen: Annotated[Filter, Query()]) -> list[Series]:
        """The series whose labels are these, by key."""
        return [Series(key=key.decode(), labels=_labels(labels)) for key, labels, _ in asking.newest(chosen)]

    @routes.get("/latest")
    def latest(chosen: Annotated[Filter, Query()]) -> list[Latest]:
        """The newest point of each series whose labels are these, by key. A series without points is left out."""
        return [
            Latest(key=key.decode(), labels=_labels(labels), time=point[0], value=float(point[1]))
            for key, labels, point in asking.newest(chosen)
            if point
        ]

    @routes.get("/range", responses={404: {"model": Error, "description": "there is no such series"}})
    def range_of(wanted: Annotated[Range, Query()]) -> Points:
        """The points of one series. More than `max_points` are put together in buckets, by their mean if not told."""
        if wanted.bucket is not None and wanted.aggregation is None:
            raise HTTPException(400, "a bucket needs an aggregation")
        start, end = wanted.ends()
        key, most, aggregation = wanted.key, wanted.max_points, wanted.aggregation
        count = ("COUNT", str(most + 1))
        made = Points(key=key, start=start, end=end, aggregation=aggregation, bucket=wanted.bucket, points=[])
        if aggregation is None:
            made.points = asking.points(key, start, end, *count)
            if len(made.points) <= most:
                return made
            made.aggregation = aggregation = "avg"
        first, bucket = (start, wanted.bucket) if wanted.bucket else asking.bucket(key, start, end, most) or (0, 0)
        if not bucket:
            return made
        words = ("ALIGN", str(first), "AGGREGATION", aggregation, str(bucket))
        made.bucket, made.points = bucket, asking.points(key, first, end, *count, *words)
        if len(made.points) > most:
            raise HTTPException(400, f"there are more than {most:,} buckets: a wider bucket, or a shorter range")
        return made

    @routes.get("/{path:path}", include_in_schema=False)
    def nothing(path: str) -> None:
        """Else the page's own answer would come."""
        raise HTTPException(404, f"there is no /api/{path}: /docs says what there is")

    return routes


NOW_AND_LATER = 4_102_444_800_000
"""2100-01-01: clocks of sensors may be ahead."""


def errors_in_words(app: FastAPI) -> None:
    """Every error of the API is JSON with one sentence."""

    @app.exception_handler(RedisAwayError)
    def _away(_: Request, error: RedisAwayError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 503)

    @app.exception_handler(StarletteHTTPException)
    def _refused(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    def _wrong(_: Request, error: RequestValidationError) -> JSONResponse:
        wrong = [f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()]
        return JSONResponse({"error": "; ".join(wrong)}, 400)


def _labels(labels: Sequence[Any]) -> dict[str, str]:
    return {name.decode(): "" if value is None else value.decode() for name, value in labels}


def described(schema: dict[str, Any]) -> str:
    """An OpenAPI schema of routes that are GET, as Markdown."""
    lines = [f"# {schema['info']['title']}: HTTP API", "", schema["info"].get("description", ""), ""]
    for path, methods in schema["paths"].items():
        operation = methods["get"]
        lines += [f"## GET {path}", "", operation.get("description", ""), "", "| argument | | |", "|---|---|---|"]
        for each in operation.get("parameters", ()):
            default = each["schema"].get("default")
            need = "required" if each.get("required") else f"default {default}" if default else "optional"
            lines.append(f"| `{each['name']}` | {need} | {each.get('description', '')} {_allowed(each['schema'])} |")
        answers = {code: each["description"] for code, each in operation["responses"].items() if code != "422"}
        lines += ["", "| answer | |", "|---|---|", *(f"| {code} | {text} |" for code, text in answers.items()), ""]
    return "\n".join(lines)


def _allowed(schema: dict[str, Any]) -> str:
    parts = [schema, *schema.get("anyOf", ())]
    choices: list[str] = next((each["enum"] for each in parts if "enum" in each), [])
    limits = [f"{word} {each[name]:,}" for each in parts for name, word in BOUNDS.items() if name in each]
    return "; ".join([", ".join(choices), *limits]).strip("; ")


BOUNDS = {"minimum": "at least", "maximum": "at most"}
