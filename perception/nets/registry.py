"""Networks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from carm_env.errors import CarmError
from perception.nets.localizer import LocalizerSmall
from perception.nets.posenet import PoseNet
from perception.nets.positional import PlainResNet, Positional

NETS: dict[str, Callable[..., nn.Module]] = {
    "localizer-small": LocalizerSmall,
    "positional": Positional,
    "resnet34": PlainResNet,
    "posenet": PoseNet,
}


def make_net(name: str, /, **settings: Any) -> nn.Module:
    """An untrained network.

    Raises:
        CarmError: unknown name, or settings that it does not take.
    """
    if name not in NETS:
        raise CarmError(f"network {name!r} is unknown; networks: {', '.join(NETS)}")
    try:
        return NETS[name](**settings)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CarmError(f"network {name} cannot be made with {settings!r}: {str(error).splitlines()[0]}") from None
