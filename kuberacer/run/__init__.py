"""The user's side: command line, compiling, reading the spec, running locally."""
