"""What the local stack knows of an error and the code that raised it, which runs elsewhere too, does not."""

from __future__ import annotations

from topics.errors import UnavailableError, UserError

HINT = "On this machine `iot up` starts Kafka, Redis and Flink, makes their passwords and compiles the job's Java."


def hint(error: UserError) -> str:
    """How the local stack provides what the error, or one of its causes, misses; empty for another error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UnavailableError):
            return HINT
        cause = cause.__cause__
    return ""
