"""Endpoints on the user's side: deployed on this machine or on a cluster, listed, asked, deleted."""
