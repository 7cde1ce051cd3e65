"""Why calltest cannot do what it was asked on the command line."""


class UnusableInputError(Exception):
    """The user's input cannot be used; the text says what, where, and what to do."""


class IncompleteInstallationError(Exception):
    """A part of calltest itself is missing; the text says which, and what to run."""
