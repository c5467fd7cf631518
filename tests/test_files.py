import pytest

from tinynets._files import write_file


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "state.pt"
    path.mkdir()
    with pytest.raises(OSError, match=r"could not write .*state\.pt"):
        write_file(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_before_becomes_the_backup(tmp_path):
    path, backup = tmp_path / "state.pt", tmp_path / "previous.pt"
    for content in ("one", "two"):
        write_file(path, content, backup)
    assert (path.read_text(), backup.read_text()) == ("two", "one")
