"""python -m scripts.screenshots: the documentation's pictures of the board, of the board that runs."""

from __future__ import annotations

import typer
from rich.console import Console

from commands import terminal
from infrastructure.home import ROOT
from infrastructure.settings import load_settings
from scripts import chromium
from scripts.stack.hints import hint
from topics.errors import UserError

app = typer.Typer(pretty_exceptions_enable=False)

QUERY = "?dashboard=house&site=home&from=2019-12-31&to=2020-01-14"
PICTURES = (("board-light.png", "light", 1280, 1000), ("board-phone-dark.png", "dark", 375, 1000))
"""File, theme, width and height in pixels."""


@app.command()
def main() -> None:
    """Take them, into docs/; after `iot demo`."""
    settings = load_settings()
    if not settings.board.url:
        raise UserError("IOT_BOARD is empty: there is no board to take pictures of")
    with chromium.browser() as browser:
        for name, theme, width, height in PICTURES:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(f"{settings.board.local_url}/{QUERY}&theme={theme}")
            page.get_by_role("region", name="AggDayRestEtot").locator("canvas").wait_for()
            page.evaluate("document.fonts.ready")
            page.screenshot(path=ROOT / "docs" / name)
            Console(highlight=False).print(f"docs/{name}")


if __name__ == "__main__":
    terminal.run(app, "python -m scripts.screenshots", hint)
