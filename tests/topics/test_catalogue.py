"""The shipped catalogue, what a wrong one says, and that a sensor is added in the file alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infrastructure.home import ROOT
from producer.encoder import Encoder
from producer.simulation import Simulation
from tests.validity import FUTURE_TOLERANCE_MS, SENT
from topics import catalogue
from topics.catalogue import MAX_PARTS, CatalogueError, Late, Sensor
from topics.decoding import decode
from topics.errors import UserError
from topics.partitions import first_partitions
from topics.reading import Reading, Rules

SHIPPED = ROOT / "sensors.toml"

# The table in section 1 of the design, by hand.
EVERY_15_MIN: dict[str, tuple[str, str, float, float, str | None]] = {
    "TH1": ("mean", "mean", 12, 35, None),
    "TH2": ("mean", "mean", 12, 35, None),
    "HVAC1": ("sum", "hvac", 0, 100, "Etot"),
    "HVAC2": ("sum", "hvac", 0, 200, "Etot"),
    "MiAC1": ("sum", "miac", 0, 150, "Etot"),
    "MiAC2": ("sum", "miac", 0, 200, "Etot"),
    "W1": ("sum", "water", 0, 1, "Wtot"),
}
DAILY = {"Etot": ("difference", "meter", 2600 * 24, 1000), "Wtot": ("difference", "meter", 110, 10)}
RANDOM = {"Mov1": ("sum", "motion", 1, 1)}
LATE = {"W1": (Late(every=20, delay=2 * 96), Late(every=120, delay=10 * 96))}

GOOD = 'unit = "x"\ncadence = "15min"\naggregate = "sum"\nclass = "c"\nlow = 0\nhigh = 1\n'
METER = 'unit = "x"\ncadence = "daily"\naggregate = "difference"\nclass = "c"\nper_day = 10\nspread = 1\n'
RANDOMLY = 'unit = "x"\ncadence = "random"\naggregate = "sum"\nclass = "c"\nlow = 1\nhigh = 1\nchance = 0.5\n'


def read(directory: Path, text: str) -> catalogue.Catalogue:
    path = directory / "sensors.toml"
    path.write_text(text, encoding="utf-8")
    return catalogue.read(path)


def sensor(body: str = GOOD, name: str = "Oven1", **changed: str | None) -> str:
    """One table of a catalogue, with some of its fields changed or (None) left out."""
    fields = dict(line.split(" = ", 1) for line in body.splitlines())
    for field, text in changed.items():
        key = field.rstrip("_")
        if text is None:
            del fields[key]
        else:
            fields[key] = text
    return f"[{name}]\n" + "".join(f"{key} = {text}\n" for key, text in fields.items())


def test_the_shipped_catalogue_has_the_sensors_of_the_design_in_order() -> None:
    assert list(catalogue.read(SHIPPED)) == [
        *("TH1", "TH2", "HVAC1", "HVAC2", "MiAC1", "MiAC2", "W1"),
        *("Etot", "Wtot", "Mov1"),
    ]


@pytest.mark.parametrize("name", EVERY_15_MIN)
def test_a_shipped_15_minute_sensor_is_as_designed(name: str) -> None:
    shipped = catalogue.read(SHIPPED)[name]
    assert shipped.cadence == "15min"
    designed = EVERY_15_MIN[name]
    assert (shipped.aggregate, shipped.partition_class, shipped.low, shipped.high, shipped.part_of) == designed
    assert shipped.late == LATE.get(name, ())


@pytest.mark.parametrize("name", DAILY)
def test_a_shipped_meter_is_as_designed(name: str) -> None:
    shipped = catalogue.read(SHIPPED)[name]
    assert shipped.cadence == "daily"
    assert (shipped.aggregate, shipped.partition_class, shipped.per_day, shipped.spread) == DAILY[name]
    assert (shipped.part_of, shipped.late) == (None, ())


@pytest.mark.parametrize("name", RANDOM)
def test_a_shipped_motion_sensor_is_as_designed(name: str) -> None:
    shipped = catalogue.read(SHIPPED)[name]
    assert shipped.cadence == "random"
    assert (shipped.aggregate, shipped.partition_class, shipped.low, shipped.high) == RANDOM[name]
    assert (shipped.part_of, shipped.late) == (None, ())
    assert 3 <= shipped.chance * 96 <= 24, "several a day"


def test_the_shipped_classes_share_the_partitions_in_the_order_of_the_design() -> None:
    assert catalogue.read(SHIPPED).classes == ("mean", "hvac", "miac", "water", "meter", "motion")


def test_the_shipped_meters_have_the_consumers_of_the_design() -> None:
    assert catalogue.read(SHIPPED).meters == {"Etot": ("HVAC1", "HVAC2", "MiAC1", "MiAC2"), "Wtot": ("W1",)}


def test_the_shipped_consumers_have_the_unit_of_their_meter() -> None:
    shipped = catalogue.read(SHIPPED)
    for meter, parts in shipped.meters.items():
        assert {shipped[part].unit for part in parts} == {shipped[meter].unit}
    assert all(each.unit for each in shipped.values())


def test_a_sensor_knows_its_name() -> None:
    shipped = catalogue.read(SHIPPED)
    assert {name: each.name for name, each in shipped.items()} == {name: name for name in shipped}


@pytest.mark.parametrize("table", [sensor(), sensor(METER), sensor(RANDOMLY)], ids=["15min", "daily", "random"])
def test_the_tables_from_which_mistakes_are_made_are_right(tmp_path: Path, table: str) -> None:
    assert list(read(tmp_path, table)) == ["Oven1"]


MISTAKES = {
    "no unit": (sensor(unit=None), "unit"),
    "no cadence": (sensor(cadence=None), "cadence"),
    "no aggregate": (sensor(aggregate=None), "aggregate"),
    "no class": (sensor(class_=None), "class"),
    "an unknown field": (sensor(colour='"red"'), "colour"),
    "the field of another spelling": (sensor(partition_class='"c"'), "partition_class"),
    "a unit that is no text": (sensor(unit="5"), "unit"),
    "a class that is no text": (sensor(class_="5"), "class"),
    "an unknown cadence": (sensor(cadence='"hourly"'), "cadence"),
    "an unknown aggregate": (sensor(aggregate='"median"'), "aggregate"),
    "a low that is text": (sensor(low='"0"'), "low"),
    "a high that is true": (sensor(high="true"), "high"),
    "low above high": (sensor(low="2"), "low is above high"),
    "a name with a space": (sensor(name='"Oven 1"'), "Oven 1"),
    "a name with a colon": (sensor(name='"home:Oven"'), "letters and digits"),
    "a name with a slash": (sensor(name='"home/Oven"'), "letters and digits"),
    "a name outside ASCII": (sensor(name='"Öfen"'), "Öfen"),
    "an empty name": (sensor(name='""'), "is empty"),
    "a name of 65 letters": (sensor(name="O" * 65), "64"),
    "part of a sensor that is not there": (sensor(part_of='"Etot"'), "Etot"),
    "part of a sensor that is no meter": (sensor(part_of='"TH1"') + sensor(name="TH1"), "TH1"),
    "part of itself": (sensor(part_of='"Oven1"'), "no meter"),
    "a mean that is part of a meter": (sensor(aggregate='"mean"', part_of='"E"') + sensor(METER, name="E"), "sum"),
    "a meter that is part of a meter": (sensor(METER, part_of='"E"') + sensor(METER, name="E"), "sum"),
    "a random sensor without a chance": (sensor(RANDOMLY, chance=None), "chance"),
    "a chance of zero": (sensor(RANDOMLY, chance="0"), "chance"),
    "a chance above one": (sensor(RANDOMLY, chance="1.01"), "chance"),
    "a chance that is no number": (sensor(RANDOMLY, chance="nan"), "chance"),
    "a meter without per_day": (sensor(METER, per_day=None), "per_day"),
    "a meter that can run backwards": (sensor(METER, spread="5"), "backwards"),
    "a meter with late readings": (sensor(METER, late="[{every = 20, delay = 192}]"), "late"),
    "a random sensor with late readings": (sensor(RANDOMLY, late="[{every = 20, delay = 192}]"), "late"),
    "late: every zero ticks": (sensor(late="[{every = 0, delay = 192}]"), "every"),
    "late: a delay of zero ticks": (sensor(late="[{every = 20, delay = 0}]"), "delay"),
    "late: a negative delay in the second rule": (
        sensor(late="[{every = 20, delay = 192}, {every = 120, delay = -1}]"),
        "delay",
    ),
    "late: half a tick": (sensor(late="[{every = 20.5, delay = 192}]"), "every"),
    "late: no delay": (sensor(late="[{every = 20}]"), "delay"),
    "late: an unknown field": (sensor(late="[{every = 20, delay = 192, chance = 1}]"), "chance"),
    "late: no list": (sensor(late="20"), "late"),
    "a number in the place of a sensor": ("Oven1 = 5\n", "it is a number, and must be a table"),
    "a list in the place of a sensor": ("[[Oven1]]\n" + GOOD, "write [Oven1], not [[Oven1]]"),
    "the second of two sensors": (sensor(name="TH1") + sensor(unit=None), "unit"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_an_error_that_names_file_sensor_and_field(tmp_path: Path, mistake: str) -> None:
    text, says = MISTAKES[mistake]
    with pytest.raises(CatalogueError) as error:
        read(tmp_path, text)
    message = str(error.value)
    assert str(tmp_path / "sensors.toml") in message
    name = "Oven1" if "Oven1" in text else text.splitlines()[0].strip('[]"')
    assert f"sensor {name}" in message
    assert says in message.split(f"sensor {name}", 1)[1] or says == name
    assert issubclass(CatalogueError, UserError), "a command prints it without a traceback"


FIELDS = "unit, cadence, aggregate, class, part_of, low, high, per_day, spread, chance, late"
REQUIRED = "unit, cadence, aggregate, class"

TOLD = {
    "no unit": (sensor(unit=None), f"unit is missing; what must be there is {REQUIRED}"),
    "neither unit nor class": (
        sensor(unit=None, class_=None),
        f"unit, class are missing; what must be there is {REQUIRED}",
    ),
    "a field that is nearly one": (
        sensor(aggregate=None) + 'agregate = "sum"\n',
        f"there is no field agregate (aggregate?); there are {FIELDS}",
    ),
    "a field with a capital": (sensor() + "Low = 1\n", f"there is no field Low (low?); there are {FIELDS}"),
    "a field that is near none": (sensor() + 'x = ""\n', f"there is no field x; there are {FIELDS}"),
    "low as text": (sensor(low='"0"'), 'low is text ("0"), and must be a number'),
    "low as a date": (sensor(low="2020-01-01"), "low is a date or time (2020-01-01), and must be a number"),
    "high as true": (sensor(high="true"), "high is true, and must be a number"),
    "a unit as a number": (sensor(unit="5"), "unit is a number (5), and must be text, in quotes"),
    "a unit as a list": (sensor(unit='["x"]'), "unit is a list, and must be text, in quotes"),
    "an integer beyond a double": (
        sensor(high=f"1{'0' * 400}"),
        f"high is too large a number (1{'0' * 38}…)",
    ),
    "a cadence that is nearly one": (
        sensor(cadence='"15 min"'),
        'cadence is "15 min" (15min?), and must be one of "15min", "daily", "random"',
    ),
    "a cadence as a number": (sensor(cadence="15"), 'cadence is 15, and must be one of "15min", "daily", "random"'),
    "an aggregate of another name": (
        sensor(aggregate='"median"'),
        'aggregate is "median" (mean?), and must be one of "mean", "sum", "difference"',
    ),
    "late as a number": (
        sensor(late="20"),
        "late is a number, and must be a list of tables, as [{ every = 20, delay = 192 }]",
    ),
    "late as a list of numbers": (
        sensor(late="[20, 192]"),
        "late, item 1: it is a number, and must be a table, as in [{ every = 20, delay = 192 }]",
    ),
    "late without delay in the second": (
        sensor(late="[{every = 20, delay = 1}, {every = 20}]"),
        "late, item 2: delay is missing; what must be there is every, delay",
    ),
    "late with half a tick": (
        sensor(late="[{every = 20.5, delay = 1}]"),
        "late, item 1: every is a number (20.5), and must be a whole number",
    ),
    "a name with two wrong characters": (
        sensor(name='"Oven 1-b"').replace("Oven1", "Oven"),
        "a name is ASCII letters and digits alone, without ' ', '-'",
    ),
    "a name with a dot": (
        sensor(name="home.Oven1"),
        "there is a table Oven1 in it: each sensor is a table of its own, and its name has no dot",
    ),
    "a field above the first sensor": (
        'unit = "x"\n' + sensor(),
        "it stands above the first sensor: the line with the sensor's name goes before it, as [TH1]",
    ),
    "part of a meter that is nearly one": (
        sensor(part_of='"Etott"') + sensor(METER, name="Etot"),
        "part_of names Etott (Etot?), which is not in the catalogue; the meters are Etot",
    ),
}


@pytest.mark.parametrize("mistake", TOLD)
def test_a_mistake_is_told_with_what_is_allowed(tmp_path: Path, mistake: str) -> None:
    text, says = TOLD[mistake]
    with pytest.raises(CatalogueError) as error:
        read(tmp_path, text)
    assert str(error.value).split(": ", 1)[1] == says


LINES = {
    "a text without quotes": (sensor(cadence="daily"), 3, "cadence = daily", "text stands in quotes"),
    "a number with a comma": (sensor(low="1,5"), 6, "low = 1,5", "a number a point, not a comma"),
    "a field with a colon": ("[Oven1]\nlow: 1\n", 2, "low: 1", 'a field is written as unit = "Wh"'),
    "a quote that does not end": (sensor(unit='"x'), 2, 'unit = "x', "a quote is missing"),
    "a bracket that does not end": (
        sensor(late="[{every = 20, delay = 192}"),
        8,
        "late = [{every = 20, delay = 192}",
        "a bracket is missing",
    ),
    "a name outside ASCII without quotes": (sensor(name="Öfen"), 1, "[Öfen]", "with ASCII letters and digits"),
    "JSON": ('{"TH1": {}}', 1, '{"TH1": {}}', "a line is a sensor, as [TH1], or a field of it"),
    "a sensor given twice": (sensor() + sensor(), 8, "[Oven1]", "the sensor Oven1 is there twice"),
    "a field given twice": (sensor() + "low = 1\n", 8, "low = 1", "a field is given twice"),
}


@pytest.mark.parametrize("mistake", LINES)
def test_what_is_not_toml_is_shown_with_its_line_and_what_to_do(tmp_path: Path, mistake: str) -> None:
    text, line, shown, hint = LINES[mistake]
    with pytest.raises(CatalogueError) as error:
        read(tmp_path, text)
    first, second = str(error.value).split("\n")
    assert first == f"{tmp_path / 'sensors.toml'}, line {line} is not TOML: {shown}"
    assert hint in second


def test_every_mistake_is_told_at_once_and_of_many_ten(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError) as error:
        read(tmp_path, "".join(sensor(name=f"S{n}", unit="5", low='"0"') for n in range(9)))
    lines = str(error.value).split("\n")
    assert [line.split(", sensor ")[1].split(" is ")[0] for line in lines[:3]] == ["S0: unit", "S0: low", "S1: unit"]
    assert (len(lines), lines[-1]) == (11, "and 8 more")


@pytest.mark.parametrize("text", [*(text for text, _ in (MISTAKES | TOLD).values()), *(t for t, *_ in LINES.values())])
def test_no_message_has_the_words_of_a_library(tmp_path: Path, text: str) -> None:
    with pytest.raises(CatalogueError) as error:
        read(tmp_path, text)
    for word in ("$", "`", "Object", "Expected", "Invalid", "got", "str", "tuple", "None"):
        assert word not in str(error.value).replace(str(tmp_path), "")


SHOWS_LATER = {
    "a low that is no number": sensor(low="nan"),
    "a high that is no number": sensor(high="nan"),
    "an infinite high": sensor(high="inf"),
    "a meter whose per_day is no number": sensor(METER, per_day="nan"),
    "a meter whose per_day is infinite": sensor(METER, per_day="inf"),
    "a meter whose spread is no number": sensor(METER, spread="nan"),
    "a meter whose spread is negative": sensor(METER, spread="-5"),
    "a range that the simulation's 32 bits do not cover": sensor(high="1e9"),
    "an empty unit, which RedisTimeSeries takes for no label": sensor(unit='""'),
    "two sensors of which one is called like the other's aggregate": sensor() + sensor(name="AggDayOven1"),
    "two sensors whose aggregates are called the same": sensor() + sensor(name="CountOven1"),
}


@pytest.mark.parametrize("mistake", SHOWS_LATER)
def test_a_mistake_that_shows_only_later_is_an_error_too(tmp_path: Path, mistake: str) -> None:
    with pytest.raises(CatalogueError, match="Oven1"):
        read(tmp_path, SHOWS_LATER[mistake])


def test_a_meter_has_at_most_as_many_consumers_as_the_job_has_slots(tmp_path: Path) -> None:
    def house(parts: int) -> str:
        return sensor(METER, name="Etot") + "".join(sensor(name=f"Oven{n}", part_of='"Etot"') for n in range(parts))

    assert len(read(tmp_path, house(MAX_PARTS)).meters["Etot"]) == MAX_PARTS
    with pytest.raises(CatalogueError, match=f"sensor Etot: {MAX_PARTS + 1} consumers"):
        read(tmp_path, house(MAX_PARTS + 1))


def test_a_sensor_given_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="Oven1"):
        read(tmp_path, sensor() + sensor())


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n"])
def test_a_catalogue_without_a_sensor_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(CatalogueError, match=r"sensors\.toml describes no sensor"):
        read(tmp_path, text)


def test_a_file_that_is_not_toml_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"sensors\.toml, line 1 is not TOML: \[Oven1\n"):
        read(tmp_path, "[Oven1\n")


def test_a_file_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "sensors.toml"
    path.write_bytes(b'[TH1]\nunit = "\xb0C"\n')
    with pytest.raises(CatalogueError, match=r"sensors\.toml, line 2 is not UTF-8: save the file as UTF-8"):
        catalogue.read(path)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"there is no sensor catalogue .*missing\.toml: IOT_SENSORS .* --sensors"):
        catalogue.read(tmp_path / "missing.toml")
    with pytest.raises(CatalogueError, match="is a directory, and must be a file: IOT_SENSORS"):
        catalogue.read(tmp_path)


def test_a_field_that_may_be_left_out_has_its_default(tmp_path: Path) -> None:
    only = 'unit = "x"\ncadence = "15min"\naggregate = "mean"\nclass = "c"\n'
    assert read(tmp_path, sensor(only))["Oven1"] == Sensor(
        name="Oven1", unit="x", cadence="15min", aggregate="mean", partition_class="c"
    )


def test_a_sensor_is_added_in_the_file_alone(tmp_path: Path) -> None:
    added = sensor(part_of='"Etot"', class_='"kitchen"', low="5", high="7")
    more = read(tmp_path, SHIPPED.read_text(encoding="utf-8") + added)
    assert more.classes[-1] == "kitchen"
    assert more.meters["Etot"] == ("HVAC1", "HVAC2", "MiAC1", "MiAC2", "Oven1")

    simulation = Simulation(more, 1, SENT - SENT % 86_400_000, ("home",))
    sent = Encoder(simulation, 7, first_partitions(more, 7)).ticked(0, 96)
    baked = [(tick, message) for tick, message in sent if message[1] == b"Oven1"]
    assert [tick for tick, _ in baked] == [simulation.time(tick) for tick in range(96)]
    assert {partition for _, (partition, *_) in baked} == {6}, (
        "with seven classes and partitions, its class has the last one"
    )
    for tick, (_, _, value, _) in baked:
        (reading,) = decode(value, tick, Rules(more, FUTURE_TOLERANCE_MS))
        assert isinstance(reading, Reading)
        assert (reading.site, reading.sensor, reading.ts) == ("home", "Oven1", tick)
        assert 5 <= reading.value <= 7
        assert json.loads(value) == reading._asdict()
