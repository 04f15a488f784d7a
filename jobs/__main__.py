"""python -m jobs: the Flink job on its cluster, replay and merge."""

from commands import jobs
from commands.extended import extended
from commands.merge import merge
from commands.replay import replay
from commands.terminal import run

app = extended(jobs.app, "Submit, list and stop the Flink job; replay and merge.", replay, merge)

if __name__ == "__main__":
    run(app, "python -m jobs")
