"""python -m ingest: the ingest bridge, rebuild and export."""

from commands.ingest import app
from commands.terminal import run

if __name__ == "__main__":
    run(app, "python -m ingest")
