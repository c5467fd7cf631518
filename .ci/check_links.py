"""Check every internal link, image and anchor of a built site. Exits 1 if one is broken.

python .ci/check_links.py SITE
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The targets that a page has (`ids`) and the ones that it links to (`links`)."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids |= {value for key in ("id", "name") if (value := attributes.get(key))}
        if tag != "base":
            self.links += [value for key in ("href", "src") if (value := attributes.get(key))]


def broken_links(site: Path) -> tuple[int, list[str]]:
    """How many internal links there are, and a line for each that leads nowhere."""
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    count, broken = 0, []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            count += 1
            target = path
            if parts.path:
                start = site if parts.path.startswith("/") else path.parent
                target = (start / unquote(parts.path).lstrip("/")).resolve()
                target = target / "index.html" if target.is_dir() else target
            missing = not target.is_file()
            if missing or (parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids):
                broken.append(f"{path.relative_to(site)}: {link}")
    return count, broken


if __name__ == "__main__":
    total, lost = broken_links(Path(sys.argv[1]).resolve())
    print(*lost, f"{total} internal links, {len(lost)} broken", sep="\n")
    sys.exit(bool(lost) or not total)
