"""How commands end when what they were given cannot be used."""

import click


class BadInputError(click.ClickException):
    """Bad input or a rule's refusal: the words go to standard error, the exit code is 2, nothing was written."""

    exit_code = 2
