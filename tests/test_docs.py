"""The Python of the site's pages runs as it stands."""

import re
from pathlib import Path

import pytest

from tinynets.layers import registry

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("page", ["index", "choose", "layers"])
def test_the_code_of_a_page_runs_from_top_to_bottom(page, monkeypatch):
    monkeypatch.setattr(registry, "_LAYERS", dict(registry._LAYERS))  # a page registers a layer
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    names = {}
    for block in blocks:
        exec(block, names)
    if page == "index":
        assert names["probabilities"].shape == (1, 10)
        assert names["probabilities"].sum().item() == pytest.approx(1, abs=1e-5)
