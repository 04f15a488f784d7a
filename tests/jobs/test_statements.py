"""The SQL's parameters, and that every statement gets its own."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from infrastructure.settings import Settings
from jobs.daily_aggregates import SPEC, arguments
from jobs.spec import SQL
from jobs.statements import statements
from topics import catalogue
from topics.series import DERIVED, LATE_REJECTED

SETTINGS = Settings.of(env_file=None, prefix="p.", kafka="broker:1234")
SENSORS = catalogue.read(SETTINGS.sensors)


def test_every_file_is_used_and_every_parameter_filled_in() -> None:
    assert [path.name[:2] for path in SPEC.files] == [f"{n}_" for n in range(1, len(SPEC.files) + 1)]
    assert set(SQL.glob("*/*.sql")) == set(SPEC.files)
    text = "\n".join(statements(SPEC.files, arguments(SETTINGS, SENSORS)))
    assert "$" not in text.replace(f"${{secret:{SETTINGS.secrets_dir}:kafka_password}}", "")
    assert "--" not in text
    for name in ("p.dailyAggr", "p.flinkAggr", "p.lateRej", "broker:1234"):
        assert f"'{name}'" in text


def test_one_statement_a_result() -> None:
    found = [s for s in statements(SPEC.files, arguments(SETTINGS, SENSORS)) if not s.startswith("CREATE")]
    assert [s.split("\n")[0] for s in found] == ["INSERT INTO aggregates"] * 4 + ["INSERT INTO rejected"]
    assert not any(s.endswith(";") for s in found)


def test_the_catalogue_becomes_constants() -> None:
    values = arguments(SETTINGS, SENSORS)
    assert values["meter_of"] == (
        "MAP['', CAST(NULL AS STRING), "
        "'HVAC1', 'Etot', 'HVAC2', 'Etot', 'MiAC1', 'Etot', 'MiAC2', 'Etot', 'W1', 'Wtot']"
    )
    assert values["slot_of"] == "MAP['', CAST(NULL AS INT), 'HVAC1', 1, 'HVAC2', 2, 'MiAC1', 3, 'MiAC2', 4, 'W1', 1]"
    assert values["parts_of"] == "MAP['', CAST(NULL AS INT), 'Etot', 5, 'Wtot', 2]"
    assert "'Mov1', 'sum'" in values["aggregate_of"]
    assert values["known_sensors"] == "'heartbeat;TH1;TH2;HVAC1;HVAC2;MiAC1;MiAC2;W1;Etot;Wtot;Mov1'"
    assert values["meters"] == "'', 'Etot', 'Wtot'"


def test_a_catalogue_without_meters_gives_a_list_all_the_same() -> None:
    sensors = catalogue.Catalogue({name: sensor for name, sensor in SENSORS.items() if sensor.aggregate == "mean"})
    assert arguments(SETTINGS, sensors)["meters"] == "''"


def test_durations_become_intervals_and_milliseconds() -> None:
    settings = SETTINGS.replace(
        watermark_delay=timedelta(milliseconds=1500), allowed_lateness=timedelta(days=2, hours=3)
    )
    values = arguments(settings, SENSORS)
    assert values["watermark_delay"] == "0 00:00:01.500"
    assert values["watermark_delay_ms"] == "1500"
    assert values["allowed_lateness_ms"] == "183600000"
    assert values["day"] == "1 00:00:00.000"


def test_a_missing_parameter_is_an_error() -> None:
    with pytest.raises(KeyError):
        list(statements(SPEC.files, {}))


def test_no_sql_stands_in_python() -> None:
    for path in Path(__file__).parents[2].joinpath("jobs").glob("*.py"):
        assert "SELECT" not in path.read_text()
        assert "INSERT" not in path.read_text()


def test_the_kinds_of_series_are_those_of_the_table() -> None:
    emitted = re.findall(r"CAST\('(\w+)' AS STRING\) AS series", SPEC.files[-1].read_text())
    assert tuple(emitted) == DERIVED
    assert [kind.name for kind in SPEC.series] == [*DERIVED, LATE_REJECTED]
    assert {kind.topic for kind in SPEC.series} == set(SPEC.writes)
