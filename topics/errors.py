"""The errors that are meant for a user."""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can mend; the message says what is wrong and how."""


class UnavailableError(UserError):
    """What must be there before is not: a server that answers, a password, a jar.

    The message names the setting that says where to look. Who provides the thing, as the local stack does, may add how.
    """
