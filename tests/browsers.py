"""What the tests in a browser need: Chromium, onnxruntime-web and playwright-core. They skip where one is missing."""

import shutil
from pathlib import Path

import pytest
from support import load_tool

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def onnxruntime_web(folder: Path) -> Path:
    """Its `dist` folder: $ONNXRUNTIME_WEB, or installed into folder by npm."""
    tool = load_tool("build_demo")
    try:
        return tool.onnxruntime_web(folder)
    except tool.NotFound as error:
        pytest.skip(str(error))


def playwright_core(folder: Path, runtime: Path) -> Path:
    """A `node_modules` that holds playwright-core: the one onnxruntime-web is in, or one that npm makes in folder."""
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    beside = runtime.parents[1]
    if (beside / "playwright-core").is_dir():
        return beside
    tool = load_tool("build_demo")
    try:
        return tool.npm_install(folder)
    except tool.NotFound as error:
        pytest.skip(str(error))
