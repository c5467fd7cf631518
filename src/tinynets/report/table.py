from collections.abc import Sequence

from tinynets._text import printable


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> str:
    """Format rows as a text table, with thousands separators in integers.

    Args:
        header: titles of the columns.
        rows: cells of each row.
        left: number of left-aligned columns; the others are right-aligned.

    Returns:
        The table, without a final newline.

    Examples:
        >>> from tinynets.report import text_table
        >>> print(text_table(("net", "params"), [("a", 21614), ("b", 420)]))
        net  params
        -----------
        a    21,614
        b       420
    """
    cells = [[f"{cell:,}" if isinstance(cell, int) else printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(cells[0]), "-" * (sum(widths) + 2 * (len(widths) - 1)), *(line(row) for row in cells[1:])])
