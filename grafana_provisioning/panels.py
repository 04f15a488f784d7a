"""The kinds of panels that the dashboards are made of, each with the look that it has everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, stat, table, text, timeseries
from grafana_foundation_sdk.models import common as model
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.text import TextMode

from grafana_provisioning.targets import DATA_SOURCE, Target
from grafana_provisioning.units import Unit

Style = Literal["line", "bars", "points"]
Steps = Sequence[tuple[float | None, str]]
"""Thresholds: from which value on which colour; the first one has no value."""

NEUTRAL: Steps = ((None, "green"),)
NO_DATA = "no points in this time range"
Data = TypeVar("Data", timeseries.Panel, table.Panel, stat.Panel, bargauge.Panel)


def chart(
    title: str,
    description: str,
    unit: Unit,
    targets: Sequence[Target],
    *,
    style: Style = "line",
    axis: str = "",
    stacked: Literal["", "normal", "percent"] = "",
    thresholds: Steps = NEUTRAL,
    limit: bool = False,
    zero: bool = False,
    names: Mapping[str, str] | None = None,
) -> timeseries.Panel:
    """Series over time.

    With thresholds bars are coloured by them, or with ``limit`` they are drawn as dashed lines; ``zero``: the axis
    begins at 0; ``names`` of targets' lines, by ref id.
    """
    by_thresholds = len(thresholds) > 1 and not limit
    many = len(targets) > 1 or "sensor=(" in targets[0].filter or "sensor=" not in targets[0].filter
    panel = _data(timeseries.Panel(), title, description, unit, targets, thresholds)
    panel.axis_label(axis or unit.quantity)
    panel.color_scheme(
        dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS if by_thresholds else FieldColorModeId.PALETTE_CLASSIC)
    )
    if style == "bars":
        # A day is stamped with its start, and so is a bucket: the bar stands behind it.
        panel.draw_style(model.GraphDrawStyle.BARS).bar_alignment(model.BarAlignment.AFTER).fill_opacity(70)
        panel.line_width(0).show_points(model.VisibilityMode.NEVER)
    elif style == "points":
        panel.draw_style(model.GraphDrawStyle.POINTS).point_size(6)
    else:
        panel.draw_style(model.GraphDrawStyle.LINE).line_width(1).show_points(model.VisibilityMode.AUTO)
    if stacked:
        panel.stacking(common.StackingConfig().mode(model.StackingMode(stacked)).group("A"))
    if limit:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(model.GraphThresholdsStyleMode.DASHED))
    if zero:
        panel.axis_soft_min(0)
    for ref_id, name in (names or {}).items():
        panel.override_by_query(ref_id, [DynamicConfigValue("displayName", name)])
    panel.legend(
        common.VizLegendOptions()
        .show_legend(many)
        .display_mode(model.LegendDisplayMode.LIST)
        .placement(model.LegendPlacement.BOTTOM)
        .calcs([])
    )
    panel.tooltip(
        common.VizTooltipOptions().mode(model.TooltipDisplayMode.MULTI if many else model.TooltipDisplayMode.SINGLE)
    )
    return panel


def series_table(
    title: str, description: str, unit: Unit, target: Target, *, sensor: str, time: str, day: bool, value: str
) -> table.Panel:
    """The points of one series, newest first; columns ``time`` and ``value``, the former a day alone with ``day``."""
    panel = _data(table.Panel(), title, description, unit, [target], NEUTRAL)
    panel.with_transformation(_columns({"time": time, sensor: value}))
    return _newest_first(panel, time, day=day)


def rows_table(
    title: str, description: str, target: Target, *, time: str, day: bool = False, value: str
) -> table.Panel:
    """The points of several series, newest first: ``time``, the sensor, ``value``. Units differ, so none is shown."""
    panel = _data(table.Panel(), title, description, Unit("none", ""), [target], NEUTRAL)
    panel.with_transformation(DataTransformerConfig(id_val="seriesToRows", options={}))
    panel.with_transformation(_columns({"Time": time, "Metric": "Sensor", "Value": value}))
    return _newest_first(panel, time, day=day)


def numbers(
    title: str, description: str, unit: Unit, targets: Sequence[Target], *, calc: str, thresholds: Steps = NEUTRAL
) -> stat.Panel:
    """One large number a series: ``calc`` (Grafana's name of a reducer) of its points in the range."""
    panel = _data(stat.Panel(), title, description, unit, targets, thresholds)
    panel.reduce_options(_reduce(calc)).color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.color_mode(model.BigValueColorMode.VALUE).graph_mode(model.BigValueGraphMode.NONE)
    return panel.text_mode(model.BigValueTextMode.VALUE_AND_NAME)


def bars(
    title: str,
    description: str,
    unit: Unit,
    targets: Sequence[Target],
    *,
    calc: str,
    thresholds: Steps = NEUTRAL,
    names: Mapping[str, str] | None = None,
) -> bargauge.Panel:
    """One bar a series: ``calc`` (Grafana's name of a reducer) of its points in the range."""
    panel = _data(bargauge.Panel(), title, description, unit, targets, thresholds)
    mode = FieldColorModeId.THRESHOLDS if len(thresholds) > 1 else FieldColorModeId.PALETTE_CLASSIC
    panel.reduce_options(_reduce(calc)).color_scheme(dashboard.FieldColor().mode(mode)).min(0)
    for ref_id, name in (names or {}).items():
        panel.override_by_query(ref_id, [DynamicConfigValue("displayName", name)])
    return panel.orientation(model.VizOrientation.HORIZONTAL).display_mode(model.BarGaugeDisplayMode.BASIC)


def prose(title: str, markdown: str) -> text.Panel:
    """Words."""
    return text.Panel().title(title).mode(TextMode.MARKDOWN).content(markdown)


def _data(panel: Data, title: str, description: str, unit: Unit, targets: Sequence[Target], thresholds: Steps) -> Data:
    panel.title(title).description(description).datasource(DATA_SOURCE).targets(list(targets))
    steps = [Threshold(value=value, color=color) for value, color in thresholds]
    panel.unit(unit.id).no_value(NO_DATA)
    panel.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    return panel


def _reduce(calc: str) -> common.ReduceDataOptions:
    return common.ReduceDataOptions().values(False).calcs([calc]).fields("")


def _columns(names: dict[str, str]) -> DataTransformerConfig:
    """Rename the columns, and put them into this order."""
    order = {name: index for index, name in enumerate(names)}
    return DataTransformerConfig(
        id_val="organize", options={"excludeByName": {}, "indexByName": order, "renameByName": names}
    )


def _newest_first(panel: table.Panel, time: str, *, day: bool) -> table.Panel:
    if day:
        panel.override_by_name(time, [DynamicConfigValue("unit", "time:YYYY-MM-DD")])
    panel.show_header(True).cell_height(model.TableCellHeight.SM)
    panel.align(model.FieldTextAlignment.AUTO).cell_options(model.TableAutoCellOptions())
    return panel.sort_by([common.TableSortByFieldState().display_name(time).desc(True)])
