"""Pictures that the data sets draw: textures and ray casting."""
