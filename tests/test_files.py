import os
import stat
import sys
import threading

import pytest

from tinynets._files import check_writable, write_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and modes of POSIX")


def test_a_failed_write_keeps_the_previous_file(tmp_path):
    path = tmp_path / "state.pt"
    path.mkdir()
    with pytest.raises(OSError, match=r"could not write .*state\.pt"):
        write_file(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_a_pipe_is_written_to(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    check_writable(path)
    write_file(path, "content")
    reader.join(10)
    assert read == [b"content"]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_devices_and_open_files_stay(tmp_path):
    check_writable(os.devnull)
    write_file(os.devnull, "content")
    assert not stat.S_ISREG(os.stat(os.devnull).st_mode)
    with open(tmp_path / "out", "w") as out:
        if not os.path.exists(f"/dev/fd/{out.fileno()}"):
            pytest.skip("the system has no /dev/fd")
        out.write("before\n")
        out.flush()
        write_file(f"/dev/fd/{out.fileno()}", "table\n")
        assert os.fstat(out.fileno()).st_nlink == 1
    assert (tmp_path / "out").read_text() == "before\ntable\n"


@posix
def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "table.csv", tmp_path / "table.csv"
    link.symlink_to(target)
    check_writable(link)
    for content in ("one", "two"):
        write_file(link, content)
        assert link.is_symlink()
        assert target.read_text() == content
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["table.csv"]


@posix
def test_a_file_that_is_there_keeps_its_mode_and_owner(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    path.chmod(0o640)
    mine = os.getuid(), os.getgid()
    owner = (12345, 54321) if mine[0] == 0 else mine  # only root may give a file away
    os.chown(path, *owner)
    write_file(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (path.stat().st_uid, path.stat().st_gid) == owner
    assert path.read_text() == "new"
