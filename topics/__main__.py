"""python -m topics: the topics of the system."""

from commands.terminal import run
from commands.topics import app

if __name__ == "__main__":
    run(app, "python -m topics")
