"""Check the API pages of a built site. Exits 1 if a public name has no anchor or an example lost its line breaks.

python .ci/check_api.py SITE

Nothing is imported: the names are read from the source of each package that has a page under api/.
"""

import ast
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "tinynets"


class Page(HTMLParser):
    """The anchors of a page, the text of each of its code blocks, and the pieces of text inside quotations.

    An example that is not recognized becomes a quotation: in Markdown its ">>>" opens three.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str | None] = set()
        self.code: list[str] = []
        self.quoted: list[str] = []
        self.in_code, self.quotes = False, 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.anchors.add(dict(attrs).get("id"))
        self.quotes += tag == "blockquote"
        if tag == "pre":
            self.in_code = True
            self.code.append("")

    def handle_endtag(self, tag):
        self.quotes -= tag == "blockquote"
        self.in_code &= tag != "pre"

    def handle_data(self, data):
        if self.in_code:
            self.code[-1] += data
        elif self.quotes and data.strip():
            self.quoted.append(data)


def public_names(package: Path) -> list[str]:
    """The names in `__all__` that are not submodules."""
    body = ast.parse((package / "__init__.py").read_text(encoding="utf-8")).body
    (names,) = (
        ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    modules = {path.stem for path in package.iterdir()}
    return [name for name in names if name not in modules and not name.startswith("_")]


def check(site: Path) -> tuple[int, int, list[str]]:
    """How many names and examples there are, and a line for each fault."""
    names, examples, faults = 0, 0, []
    for path in sorted((site / "api").rglob("index.html")):
        page = Page(path)
        part = path.parent.relative_to(site / "api")
        package = SOURCE / part
        prefix = ".".join(("tinynets", *part.parts))
        for name in public_names(package):
            names += 1
            if f"{prefix}.{name}" not in page.anchors:
                faults.append(f"{prefix}.{name} has no anchor in {path.relative_to(site)}")
        for block in page.code:
            examples += ">>>" in block
            if re.search(r".>>>", block):
                faults.append(f"{prefix}: an example lost its line breaks: {block[:80]!r}")
        faults += [f"{prefix}: an example lost its line breaks: {text[:80]!r}" for text in page.quoted]
    return names, examples, faults


if __name__ == "__main__":
    names, examples, faults = check(Path(sys.argv[1]).resolve())
    print(*faults, f"{names} public names, {examples} examples, {len(faults)} faults", sep="\n")
    sys.exit(bool(faults) or not names or not examples)
