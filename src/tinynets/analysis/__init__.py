"""What a model is made of: parameters, multiply-adds, output shapes, receptive field."""

from .field_tally import ReceptiveField, receptive_field
from .layer_table import Summary, count_parameters, summary

__all__ = ["ReceptiveField", "Summary", "count_parameters", "receptive_field", "summary"]
