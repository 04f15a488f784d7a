"""python -m producer: simulated sensors, and readings from files."""

from commands.producer import app
from commands.terminal import run

if __name__ == "__main__":
    run(app, "python -m producer")
