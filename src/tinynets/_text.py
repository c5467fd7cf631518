def printable(path: object) -> str:
    r"""Convert a path or a name to one printable line, with control characters and undecodable bytes escaped.

    Args:
        path: the path or name.

    Returns:
        The text.

    Examples:
        >>> from tinynets._text import printable
        >>> print(printable("a\\nb.png"))
        a\nb.png
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(path))
