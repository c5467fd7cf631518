import numpy as np
import pytest
from firmware_support import COMPILERS, STRICT, Small, compiled_scores, exported

from tinynets.deploy import FORMATS
from tinynets.deploy.firmware.folder import read_metadata
from tinynets.deploy.firmware.projects import PROJECTS, wrap

FILES = {
    "arduino": ["library.properties", "examples/classify/classify.ino", "src/small_net.h", "src/bknn_small_net.c"],
    "esp-idf": [
        "CMakeLists.txt",
        "sdkconfig.defaults",
        "main/CMakeLists.txt",
        "main/main.c",
        "main/small_net.c",
        "components/bakenn_model/CMakeLists.txt",
        "components/bakenn_model/generated/bknn_small_net.c",
    ],
    "zephyr": ["CMakeLists.txt", "prj.conf", "src/main.c", "src/small_net.c", "src/generated/bknn_small_net_kernels.c"],
}


@pytest.mark.parametrize("project", PROJECTS)
def test_the_same_sources_and_the_same_bytes(small_c, pixels, tmp_path, project):
    folder = wrap(small_c[0], project, tmp_path / "project")
    assert all((folder / name).is_file() for name in (*FILES[project], "README.md", "net.json", "reference.tflite"))
    assert np.array_equal(FORMATS["c"].load(folder)(pixels), FORMATS["c"].load(small_c[0])(pixels))
    assert "make" not in (folder / "README.md").read_text()
    if project != "arduino":  # every source is in a CMakeLists.txt
        lists = "".join(file.read_text() for file in folder.rglob("CMakeLists.txt"))
        assert all(name.rsplit("/", 1)[-1] in lists for name in read_metadata(folder).sources)


@pytest.mark.parametrize("command", COMPILERS[2:])
def test_the_arduino_library_compiles_as_cxx(small_c, pixels, tmp_path, command):
    folder = wrap(small_c[0], "arduino", tmp_path / "library")
    assert len(compiled_scores(folder, pixels, tmp_path, [command, *STRICT])) == len(pixels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"project": "ardiuno"}, "unknown project 'ardiuno': did you mean arduino"),
        ({"ram": 100}, r"small_net needs .* kB of RAM, the board has 0\.1 kB: use a smaller net"),
        ({"flash": 100}, r"small_net needs .* kB of flash, the board has 0\.1 kB: use a smaller net"),
    ],
)
def test_wrong_calls_are_one_line_errors(small_c, tmp_path, monkeypatch, options, message):
    import shutil

    from tinynets.deploy.formats import c_int8

    monkeypatch.setattr(c_int8, "write", lambda source, path, calibration: shutil.copytree(small_c[0], path))
    with pytest.raises((ValueError, RuntimeError), match=message):
        exported(Small(), "c", tmp_path / "net", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_empty(small_c, tmp_path):
    (tmp_path / "mine.c").touch()
    with pytest.raises(FileExistsError, match="is not empty: choose a new one, or empty it"):
        exported(Small(), "c", tmp_path)
    with pytest.raises(NotADirectoryError, match=r"mine\.c is a file: choose a folder"):
        exported(Small(), "c", tmp_path / "mine.c")
