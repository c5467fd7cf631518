"""Results as plots and tables."""

from .table import markdown_table, text_table

__all__ = ["markdown_table", "text_table"]
