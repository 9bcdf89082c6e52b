from __future__ import annotations

import subprocess
import sys

import pytest

CONTROL_PLANE = "job_file, space_files, teachers, corpora, consistency"


@pytest.mark.processes
def test_reading_what_users_hand_in_loads_no_training_library():
    program = f"import sys; from ose.inputs import {CONTROL_PLANE}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "ose.inputs.job_file" in loaded
    assert {"torch", "transformers", "ray", "datasets", "pyarrow", "optuna"}.isdisjoint(loaded)
