"""Parts of the whole-body phantom: implicit shapes, their voxeliser and the anatomy built from them."""
