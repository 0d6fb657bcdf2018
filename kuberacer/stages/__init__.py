"""The pipeline's stages, a module each: argv in, files out."""
