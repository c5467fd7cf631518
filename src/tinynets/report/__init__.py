"""Results as plots and tables, and the published figures of other people's nets."""

from .peers import Peer, list_peers
from .table import markdown_table, text_table

__all__ = ["Peer", "list_peers", "markdown_table", "text_table"]
