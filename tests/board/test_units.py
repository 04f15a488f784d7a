"""Numbers as Grafana 11.6 writes them, as getValueFormat of @grafana/data 11.6.16 wrote them."""

from __future__ import annotations

import pytest

from board import units


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (62_400, "watth", "62.4 kWh"),
        (999, "watth", "999 Wh"),
        (1000, "watth", "1 kWh"),
        (873_650.4, "watth", "874 kWh"),
        (4899.000000000001, "watth", "4.90 kWh"),
        (-1500, "watth", "-1.50 kWh"),
        (2_500_000, "watth", "2.50 MWh"),
        (0, "watth", "0 Wh"),
        (110.5, "litre", "111 L"),
        (0.3, "litre", "300 mL"),
        (1100, "litre", "1.10 kL"),
        (22.628125, "celsius", "22.6 °C"),
        (-3.14159, "celsius", "-3.14 °C"),
        (20, "celsius", "20 °C"),
        (96, "none", "96"),
        (0.05, "none", "0.0500"),
        (12.345, "percent", "12.3%"),
        (1.5, "suffix: lx", "1.50 lx"),
        (1577836800000, "time:YYYY-MM-DD", "2020-01-01"),
        (0.0004, "watth", "400 µWh"),
        (999.9, "watth", "1000 Wh"),
        (0.95, "none", "0.950"),
        (2.345, "none", "2.35"),
        (1e-7, "none", "1e-7"),
        (23456.789, "none", "23457"),
        (float("nan"), "watth", "NaN Wh"),
    ],
)
def test_a_number_with_its_unit(value: float, unit: str, text: str) -> None:
    assert units.text(value, unit) == text


def test_one_scale_for_an_axis() -> None:
    assert units.scaled(62_400, "watth") == (1000, "kWh")
    assert units.scaled(0, "litre") == (1, "L")
    assert units.scaled(1e30, "watth").symbol == "PWh"


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(900_000, "15 min"), (7_200_000, "2 h"), (86_400_000, "1 day"), (3 * 86_400_000, "3 days"), (1500, "1500 ms")],
)
def test_a_bucket_in_words(milliseconds: int, text: str) -> None:
    assert units.duration(milliseconds) == text
