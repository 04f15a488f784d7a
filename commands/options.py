"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Prefix = Annotated[str | None, typer.Option(help="Put before each topic's name.", show_default="IOT_PREFIX")]
