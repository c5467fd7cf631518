import json

from tinynets.engine import RunDir


def test_an_event_behind_a_torn_line_has_a_line_of_its_own(tmp_path):
    run = RunDir(tmp_path)
    run.add_event({"event": "start"})
    with open(tmp_path / "events.jsonl", "a") as file:
        file.write('{"event": "ep')  # the process was killed here
    run.add_event({"event": "resume"})
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(lines[index])["event"] for index in (0, 2)] == ["start", "resume"]
    assert len(lines) == 3
