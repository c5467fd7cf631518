"""Generated parts of the repository's pages."""

from collections.abc import Sequence
from pathlib import Path

from tinynets._files import write_file


def replace_block(path: str | Path, name: str, content: str) -> None:
    """Put content between the lines `<!-- name -->` and `<!-- end of name -->` of a text file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it does not hold the two lines, once each and in that order.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path} to write to")
    text = path.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, opened, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not (opened and closed) or text.count(start) + text.count(end) != 2:
        raise ValueError(
            f"{path} must hold the lines '{start.strip()}' and '{end}', once each: write them where the text belongs"
        )
    write_file(path, f"{before}{start}\n{content.strip()}\n\n{end}{after}")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]], numbers: slice) -> str:
    """Format rows as a Markdown table.

    Args:
        header: titles of the columns.
        rows: cells of each row.
        numbers: the columns that are aligned right.

    Returns:
        The table, without a final newline.
    """
    right = set(range(len(header))[numbers])
    rule = ["---:" if column in right else "---" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (header, rule, *rows))
