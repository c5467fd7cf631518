"""Results as plots and tables."""

from .table import text_table

__all__ = ["text_table"]
