"""The one exception that people see: a problem in their input, told in one line."""


class CarmError(ValueError):
    """Bad input. The message says what is wrong, where, and what would be right, in one line."""
