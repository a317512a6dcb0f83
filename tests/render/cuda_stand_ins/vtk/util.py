"""DeepDRR imports ``numpy_support`` from here, for meshes only."""

numpy_support = None
