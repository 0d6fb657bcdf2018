"""Plots, videos, the HTML report and the model card."""
