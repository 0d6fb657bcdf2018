"""The live view: a web server that shows runs as they go, from their object stores and folders. It reads only."""
