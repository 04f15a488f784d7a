"""python -m producer: simulated sensors, and readings from files."""

from commands.backfill import backfill
from commands.default_group import group
from commands.simulate import simulate
from commands.terminal import run

app = group("Simulate houses, or send the readings of files.", simulate, backfill)

if __name__ == "__main__":
    run(app, "python -m producer")
