"""python -m topics: the topics of the system, their audit, and dead letters."""

from commands import dead_letters
from commands.audit import audit
from commands.terminal import run
from commands.topics import app

app.command()(audit)
app.add_typer(dead_letters.app, name="deadletter")

if __name__ == "__main__":
    run(app, "python -m topics")
