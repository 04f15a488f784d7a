"""python -m jobs: the Flink job on its cluster, replay and merge."""

from commands.jobs import app
from commands.merge import merge
from commands.replay import replay
from commands.terminal import run

app.command()(replay)
app.command()(merge)

if __name__ == "__main__":
    run(app, "python -m jobs")
