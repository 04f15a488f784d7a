"""python -m board: the board."""

from commands.board import board
from commands.default_group import group
from commands.terminal import run

app = group("Show the dashboards.", board)

if __name__ == "__main__":
    run(app, "python -m board")
