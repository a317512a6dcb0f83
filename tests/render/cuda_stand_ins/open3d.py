"""Empty: DeepDRR imports open3d for meshes only."""
