"""Environments beside the race: Mountain Car with patience, Gymnasium's by id, and users' own by module:Class."""
