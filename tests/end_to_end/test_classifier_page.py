"""The page for owners of classifiers, command by command, with a small encoder in the place of theirs.

Covers docs/CLASSIFIERS.md.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from labelled import bracket_rows, write_table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "CLASSIFIERS.md").read_text(encoding="utf8")
COMMANDS = re.findall(r"^\$ ose (.*)$", PAGE, flags=re.MULTILINE)
[JOB] = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
[SNIPPET] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
SMALL = {
    "teacher": {"model": "model", "as_is": True},  # a minute of training would make it surer
    "space": {
        "num_hidden_layers": [1, 2],
        "num_attention_heads": [4],
        "hidden_size": [16],
        "intermediate_size": [32],
    },
    "search": {"steps": 5, "hyperparameters": [{"batch_size": 8}]},
    "latency": {"seconds_per_shape": 0.01},
    "distillation": {"steps": 20},
}


@pytest.mark.long
def test_every_command_of_the_page_runs(
    ose, tiny_roberta: Path, real_text: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_roberta, "encoder")
    rows = bracket_rows(real_text, 200)
    for name, part in (("train", rows[:150]), ("validation", rows[150:])):
        write_table(Path(f"{name}.csv"), part, ("sentence", "label"))
    Path("job.yaml").write_text(yaml.safe_dump({**yaml.safe_load(JOB), **SMALL}))
    job_id, printed = "", ""
    for command in COMMANDS:
        done = ose(*shlex.split(command.replace("JOB", job_id)))
        assert done.status == 0, f"{command}: {done.err}"
        printed += done.out
        if command.startswith("job run"):
            [job_id] = re.findall(r"\(([0-9a-f]{8}), succeeded\)", done.out)
    assert len(COMMANDS) == 6 and "student" in printed
    assert json.loads(Path("student/config.json").read_text())["label2id"] == {"no": 0, "yes": 1}
    done = subprocess.run([sys.executable, "-c", SNIPPET], capture_output=True, text=True, check=True)
    assert "'label':" in done.stdout
