"""DeepDRR names pyvista's classes in signatures, catches one of its exceptions, and uses them for meshes only."""


def __getattr__(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (Exception,), {})
