"""Empty: DeepDRR imports vtk for meshes only."""
