"""python -m jobs: the Flink job on its cluster."""

from commands.jobs import app
from commands.terminal import run

if __name__ == "__main__":
    run(app, "python -m jobs")
