"""python -m ingest: the ingest bridge, rebuild and export."""

from commands.default_group import group
from commands.export import export
from commands.ingest import ingest
from commands.rebuild import rebuild
from commands.terminal import run

app = group("Write the topics into Redis; rebuild and export its series.", ingest, rebuild, export)

if __name__ == "__main__":
    run(app, "python -m ingest")
