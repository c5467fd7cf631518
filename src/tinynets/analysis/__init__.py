"""Model analysis: parameters, multiply-adds, output shapes and receptive field."""

from ._receptive_field import ReceptiveField, receptive_field
from ._summary import Summary, count_parameters, summary

__all__ = ["ReceptiveField", "Summary", "count_parameters", "receptive_field", "summary"]
