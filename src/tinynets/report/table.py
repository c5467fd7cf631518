from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> str:
    """Columns of text under a header; the first `left` columns are flush left, the others flush right.

    Integers are written with thousands separators.
    """
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(cells[0]), "-" * (sum(widths) + 2 * (len(widths) - 1)), *(line(row) for row in cells[1:])])


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]], numbers: slice) -> str:
    """A Markdown table; the columns in `numbers` are flush right."""
    right = set(range(len(header))[numbers])
    rule = ["---:" if column in right else "---" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (header, rule, *rows))
