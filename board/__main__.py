"""python -m board: the board."""

from commands.board import app
from commands.terminal import run

if __name__ == "__main__":
    run(app, "python -m board")
