"""`sampler-explorer doctor`: findings about whatever holds settings, and its exit status."""

import io
import json
from pathlib import Path

import pytest
from test_schedule_command import model_folder

from explorer.assets import asset
from explorer.cli import main
from explorer.records.permalinks import write_permalink
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.scheduler_file import write_scheduler_file

EXAMPLE = next(path for path in sorted(asset("examples").iterdir()) if path.is_dir())
INFOTEXT = "a red boat\nSteps: 12, Sampler: DPM2 a, Schedule type: Karras, CFG scale: 7, Seed: 7"
WRONG = LaneSettings(schedule_type="karras", sigma_min=20.0)  # above the table's end
WRONG_RUN = RunSettings(lanes=(WRONG,))


@pytest.fixture
def doctor(capsys):
    """Runs the command: its exit status, what it prints, and what it complains of."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["doctor", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(caught.value.code or 0), out, err

    return run


def sources(folder: Path) -> dict[str, str]:
    """Ways in which settings come, and what the doctor then says."""
    (folder / "scheduler_config.json").write_text(
        write_scheduler_file(LaneSettings(s_churn=5.0, s_tmin=300.0))
    )
    (folder / "text.txt").write_text(INFOTEXT)
    (folder / "settings.json").write_text(json.dumps(RunSettings(steps=33).to_dict()))
    model_folder(folder / "model", prediction_type="v_prediction")
    return {
        str(EXAMPLE): "78 in all",
        str(EXAMPLE / "run.json"): "78 in all",
        str(EXAMPLE / "settings.json"): "78 in all",
        str(folder / "scheduler_config.json"): "churn",
        str(folder / "text.txt"): "The run makes 23 model calls",
        str(folder / "settings.json"): "2 lanes make 65 model calls each",
        str(folder / "model"): "The training noise ends",
        write_permalink(RunSettings(steps=4)): "2 lanes make 7 model calls each",
        "http://localhost:7860/?s=" + write_permalink(RunSettings(steps=4)): "7 model calls",
    }


def test_everything_that_holds_settings_is_read(doctor, tmp_path):
    for source, sentence in sources(tmp_path).items():
        status, out, err = doctor(source)
        assert (status, err) == (0, ""), source
        assert sentence in out, source


def test_a_picture_is_read(doctor):
    status, out, _ = doctor(EXAMPLE / "lane-a.png")
    assert status == 0
    assert "78 in all" in out


def test_the_standard_input_is_read(doctor, monkeypatch):
    text = io.TextIOWrapper(io.BytesIO(INFOTEXT.encode()))
    monkeypatch.setattr("sys.stdin", text)
    status, out, _ = doctor("-", "--steps", "3")
    assert status == 0
    assert "The run makes 5 model calls" in out


@pytest.mark.parametrize(("fail_on", "status"), [("error", 1), ("note", 1), ("never", 0)])
def test_an_error_is_the_exit_status(doctor, tmp_path, fail_on, status):
    (tmp_path / "wrong.json").write_text(json.dumps(WRONG_RUN.to_dict()))
    done, out, err = doctor(tmp_path / "wrong.json", "--fail-on", fail_on)
    assert (done, err) == (status, "")
    assert out.startswith("error: ")


def test_what_is_no_error_is_one_when_it_is_asked_for(doctor, tmp_path):
    (tmp_path / "fine.json").write_text(json.dumps(RunSettings().to_dict()))
    assert doctor(tmp_path / "fine.json")[0] == 0
    assert doctor(tmp_path / "fine.json", "--fail-on", "note")[0] == 1


def test_json_has_the_findings_of_the_page(doctor, tmp_path):
    settings = RunSettings(lanes=(LaneSettings(), WRONG))
    (tmp_path / "run.json5").write_text(json.dumps(settings.to_dict()))
    status, out, _ = doctor(tmp_path / "run.json5", "--json")
    findings = json.loads(out)["findings"]
    assert status == 1
    assert {finding["severity"] for finding in findings} >= {"error", "note"}
    assert findings[0]["lanes"] == [1]
    assert findings[0]["fix"] == {"sigma_min": 0.0, "sigma_max": 0.0}


def test_a_model_is_compared_with_when_it_is_named(doctor, tmp_path):
    (tmp_path / "scheduler_config.json").write_text(
        write_scheduler_file(LaneSettings(prediction_type="v_prediction"))
    )
    _, alone, _ = doctor(tmp_path / "scheduler_config.json")
    _, compared, _ = doctor(tmp_path / "scheduler_config.json", "--model", "bundled")
    assert "v_prediction" not in alone
    assert "v_prediction" in compared
    _, own, _ = doctor(
        tmp_path / "scheduler_config.json",
        "--model",
        model_folder(tmp_path / "v", prediction_type="v_prediction"),
    )
    assert "v_prediction" not in own


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("nothing.txt", b"no settings here", "There are no settings in this text."),
        ("binary.bin", b"\x00\xff\xfe" * 9, "holds neither text nor a picture: give a run's"),
        ("deep.json", b"[" * 100_000, "There are no settings in this text."),
        ("flow.json", b'{"_class_name": "FlowMatchEulerDiscreteScheduler"}', "Not taken over: "),
        ("long.txt", b"a" * (21 << 20), "is too large to be settings"),
        ("run.json", b"{}", "is no run that Sampler Explorer saved"),
        ("run.zip", b"PK", "is"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_and_status_2(doctor, tmp_path, name, data, sentence):
    (tmp_path / name).write_bytes(data)
    status, out, err = doctor(tmp_path / name)
    assert (status, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("file", ["nowhere.json", "a\0b", "x" * 5000, "\udcff", ""])
def test_what_is_not_there_is_a_sentence(doctor, file):
    status, out, err = doctor(file)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        "a boat\nSteps: 12, Sampler: DPM2 a, \x1b[2Jkey: \x1b]0;title\x07, Seed: 7",
        json.dumps({"steps": 3, "prompt": "\x1b[31m", "\x1b[2J": "\ud83d"}),
        json.dumps({"_class_name": "KDPM2DiscreteScheduler", "\x1b[2J": "\x9b1m"}),
    ],
)
def test_a_strangers_file_does_not_steer_the_terminal(doctor, tmp_path, text):
    (tmp_path / "theirs.txt").write_text(text)
    _, out, err = doctor(tmp_path / "theirs.txt")
    assert not set("\x1b\x07\x9b") & set(out + err)
    assert "\\x1b[2J" in out + err
