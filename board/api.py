"""The HTTP API: which series there are, their points in a range, their latest values. Times are epoch ms, UTC.

``/openapi.json`` describes it, ``/docs`` shows the same without a network.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from redis.exceptions import ResponseError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse

from board import queries
from board.reader import Reader, RedisAwayError
from board.timerange import day_end, milliseconds
from topics.names import DERIVED, LATE_REJECTED, RAW

MOST_POINTS = 10_000
MOST_SERIES = 1000
KINDS = (RAW, *DERIVED, LATE_REJECTED)
WORD = r"^[\w.:°%/-]{1,200}$"
"""A key, or a label's value: nothing that is a sign of a filter of RedisTimeSeries."""
LONGEST_BUCKET = 366 * 86_400_000

Aggregation = Literal["avg", "sum", "min", "max", "count", "first", "last", "range", "std.p", "std.s", "var.p", "var.s"]
Word = Annotated[str, Query(pattern=WORD)]
INSTANT = "ISO 8601, UTC where it has no offset, or epoch ms; included"


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
    value: float = Field(description="in the unit of the label `unit`", examples=[22.6])


class Points(BaseModel):
    """Points of a series in the order of time."""

    key: str
    start: int = Field(serialization_alias="from", description="epoch ms, UTC, included")
    end: int = Field(serialization_alias="to", description="epoch ms, UTC, included")
    aggregation: Aggregation | None = Field(description="null: the points as they are stored")
    bucket: int | None = Field(description="ms; a bucket is stamped with its start, the first one begins at `from`")
    points: list[tuple[int, float]] = Field(
        description="epoch ms and value, in the series' unit", examples=[[[1577836800000, 22.6]]]
    )


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "an argument is wrong"},
    503: {"model": Error, "description": "Redis does not answer"},
}


class Filter(BaseModel):
    """Labels, all of which must match."""

    site: str | None
    sensor: str | None
    series: str | None
    unit: str | None
    prefix: str

    def words(self) -> list[str]:
        """As RedisTimeSeries takes them; at least one of them selects."""
        chosen = {name: value for name, value in self if value is not None}
        if self.series is None:
            chosen["series"] = f"({','.join(KINDS)})"
        return [f"{name}={value}" for name, value in chosen.items()]


def router(reader: Reader) -> APIRouter:
    """The routes below /api."""
    routes = APIRouter(prefix="/api", tags=["series"], responses=REFUSALS)

    def asked(*words: str) -> Any:
        [answer] = reader.ask([words])
        if isinstance(answer, ResponseError):
            raise HTTPException(400, f"Redis refuses: {answer}")
        return answer

    def newest(chosen: Filter) -> list[Any]:
        found = asked("TS.MGET", "WITHLABELS", "FILTER", *chosen.words())
        if len(found) > MOST_SERIES:
            raise HTTPException(400, f"{len(found):,} series match, and at most {MOST_SERIES:,} are told: filter more")
        return sorted(found)

    @routes.get("/series")
    def series(
        site: Word | None = None,
        sensor: Word | None = None,
        series: Word | None = None,
        unit: Word | None = None,
        prefix: Annotated[
            str, Query(pattern=r"^[\w.-]{0,64}$", description="of IOT_PREFIX; empty: the live ones")
        ] = "",
    ) -> list[Series]:
        """The series whose labels are these, by key."""
        chosen = Filter(site=site, sensor=sensor, series=series, unit=unit, prefix=prefix)
        return [Series(key=key.decode(), labels=_labels(labels)) for key, labels, _ in newest(chosen)]

    @routes.get("/latest")
    def latest(
        site: Word | None = None,
        sensor: Word | None = None,
        series: Word | None = None,
        unit: Word | None = None,
        prefix: Annotated[
            str, Query(pattern=r"^[\w.-]{0,64}$", description="of IOT_PREFIX; empty: the live ones")
        ] = "",
    ) -> list[Latest]:
        """The newest point of each series whose labels are these, by key. A series without points is left out."""
        chosen = Filter(site=site, sensor=sensor, series=series, unit=unit, prefix=prefix)
        return [
            Latest(key=key.decode(), labels=_labels(labels), time=point[0], value=float(point[1]))
            for key, labels, point in newest(chosen)
            if point
        ]

    @routes.get("/range", responses={404: {"model": Error, "description": "there is no such series"}})
    def range_of(
        key: Annotated[str, Query(pattern=WORD, description="of the series in Redis", examples=["AggDayTH1"])],
        start: Annotated[str, Query(alias="from", description=INSTANT)] = "0",
        end: Annotated[
            str, Query(alias="to", description="the same; a day as a whole, and without it: until now or later")
        ] = "",
        aggregation: Annotated[
            Aggregation | None, Query(description="without it the points as they are stored, if they are not too many")
        ] = None,
        bucket: Annotated[
            int | None, Query(ge=1, le=LONGEST_BUCKET, description="ms; without it as wide as max_points asks")
        ] = None,
        max_points: Annotated[int, Query(ge=2, le=MOST_POINTS)] = 1000,
    ) -> Points:
        """The points of one series. More than `max_points` are put together in buckets, by their mean if not told."""
        if bucket is not None and aggregation is None:
            raise HTTPException(400, "a bucket needs an aggregation")
        try:
            first, last = milliseconds(start), day_end(end) if end else max(NOW_AND_LATER, int(time.time() * 1000))
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        if last < first:
            raise HTTPException(400, "`to` is before `from`")

        def points(*more: str) -> list[tuple[int, float]]:
            words = ("TS.RANGE", key, str(first), str(last), *more)
            [answer] = reader.ask([words])
            if isinstance(answer, ResponseError):
                if re.search("does not exist|not a TSDB key|WRONGTYPE", str(answer)):
                    raise HTTPException(404, f"there is no series {key}: /api/series lists them")
                raise HTTPException(400, f"Redis refuses: {answer}")
            return [(at, float(value)) for at, value in answer]

        count = ("COUNT", str(max_points + 1))
        if aggregation is None:
            found = points(*count)
            if len(found) <= max_points:
                return Points(key=key, start=first, end=last, aggregation=None, bucket=None, points=found)
            aggregation = "avg"
        if bucket is None:
            # From the first to the newest point: a range without an end would have one bucket.
            oldest, newest_point = points("COUNT", "1"), asked("TS.GET", key)
            first = oldest[0][0] if oldest else first
            until = min(last, int(newest_point[0])) if newest_point else last
            bucket = queries.bucket_for(max(1, until - first), max_points, 1000)
        found = points(*count, "ALIGN", str(first), "AGGREGATION", aggregation, str(bucket))
        if len(found) > max_points:
            raise HTTPException(400, f"there are more than {max_points:,} buckets: a wider bucket, or a shorter range")
        return Points(key=key, start=first, end=last, aggregation=aggregation, bucket=bucket, points=found)

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
            need = "required" if each.get("required") else f"default {json.dumps(each['schema'].get('default'))}"
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
