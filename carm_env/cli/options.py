"""Options of the commands that take no Hydra overrides."""

from __future__ import annotations

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
