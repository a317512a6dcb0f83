"""Options of the commands that take no Hydra overrides."""

from __future__ import annotations

from pathlib import Path

from carm_env.errors import CarmError


def options(
    argv: list[str], valued: tuple[str, ...] = (), flags: tuple[str, ...] = ()
) -> tuple[dict[str, str], list[str]]:
    """``--name value`` pairs and flags (with the value ""), and the rest.

    Raises:
        CarmError: an unknown option, or one without its value.
    """
    found, rest, words = {}, [], iter(argv)
    for word in words:
        if word in flags:
            found[word] = ""
        elif word in valued:
            value = next(words, None)
            if value is None:
                raise CarmError(f"{word} needs a value")
            found[word] = value
        elif word.startswith("-"):
            raise CarmError(f"unknown option {word!r}; options: {', '.join((*valued, *flags)) or 'none'}")
        else:
            rest.append(word)
    return found, rest


def settings(argv: list[str], defaults: dict[str, str], example: str) -> dict[str, str]:
    """``key=value`` words over their defaults.

    Raises:
        CarmError: a word that is none, or an unknown key.
    """
    found = dict(defaults)
    for word in argv:
        key, equals, value = word.partition("=")
        if not equals or key not in defaults:
            raise CarmError(f"unknown setting {word!r}; settings: {', '.join(defaults)}, as in {example}")
        found[key] = value
    return found


def rounds_of(text: str) -> int:
    """How often a measurement is repeated.

    Raises:
        CarmError: not a number from 1 to 10000.
    """
    if not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise CarmError(f"rounds={text} is not a number from 1 to 10000")
    return int(text)


def check_writable(out: Path) -> None:
    """Refuses at once what could not be written in the end.

    Raises:
        CarmError: ``out`` is a folder or no file can be made there.
    """
    part = out.with_name(f".{out.name}.part")
    try:
        if out.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        part.touch()
        part.unlink()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CarmError(f"out={out} cannot be written: {reason}; want a file in a folder that exists") from None


def one(rest: list[str], command: str, wanted: str) -> str:
    """The single name that ``carm patients COMMAND`` takes.

    Raises:
        CarmError: none, or several.
    """
    if len(rest) != 1:
        raise CarmError(f"carm patients {command} takes one name, got {len(rest)}; want {wanted}")
    return rest[0]


def number(text: str, option: str, kind: type[int] | type[float]) -> float:
    """The number that an option was given.

    Raises:
        CarmError: it is none.
    """
    try:
        return kind(text)
    except ValueError:
        raise CarmError(f"{option} {text[:40]!r} is not a {'whole ' if kind is int else ''}number") from None
