"""How results are shown: plots of runs, tables of text and Markdown, and the nets of others that ours stand beside."""

from .peers import Peer, list_peers
from .table import markdown_table, text_table

__all__ = ["Peer", "list_peers", "markdown_table", "text_table"]
