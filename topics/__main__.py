"""python -m topics: the topics of the system, their audit, and dead letters."""

from commands import dead_letters, topics
from commands.audit import audit
from commands.extended import extended
from commands.terminal import run

app = extended(topics.app, "Create, describe, audit and delete the topics; list and resend dead letters.", audit)
app.add_typer(dead_letters.app, name="deadletter")

if __name__ == "__main__":
    run(app, "python -m topics")
