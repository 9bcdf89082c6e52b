from __future__ import annotations

import csv
import io
from dataclasses import replace

from ose.core.comparison import ComparedModel, Comparison
from ose.core.measurement import LatencyProtocol, Metric

FIRST = ComparedModel(
    name="teacher",
    num_parameters=22_700_000,
    size_bytes=90_800_000,
    runtime="torch",
    precision="float32",
    latency_p50_ms=12.0,
    latency_p90_ms=13.0,
    latency_flagged=False,
    metrics={"accuracy": Metric(value=0.9, stderr=0.01), "agreement": Metric(value=1.0, stderr=0.0)},
    differences={},
    share_kept=1.0,
)
SECOND = replace(
    FIRST,
    name="small|int8",
    runtime="onnxruntime",
    precision="int8",
    latency_p50_ms=3.0,
    latency_flagged=True,
    metrics={"accuracy": Metric(value=0.87, stderr=0.011), "agreement": Metric(value=0.96, stderr=0.006)},
    differences={"accuracy": Metric(value=-0.03, stderr=0.01), "agreement": Metric(value=-0.04, stderr=0.03)},
    share_kept=0.87 / 0.9,
)
FOUND = Comparison(protocol=LatencyProtocol(), num_items=872, models=(FIRST, SECOND))


def test_a_row_has_what_is_known_and_a_star_where_it_is_more_than_chance() -> None:
    head, first, second = FOUND.rows()
    told = dict(zip(head, second, strict=True))
    assert told["faster"] == "4.0x" and told["p50 ms"] == "3.00!" and told["MB"] == "90.8"
    assert told["accuracy"] == "87.0% ± 1.1%*" and told["kept"] == "96.7%" and told["flipped"] == "4.0%"
    assert dict(zip(head, first, strict=True))["accuracy"] == "90.0% ± 1.0%"


def test_without_data_there_is_no_quality() -> None:
    plain = replace(FIRST, metrics={}, share_kept=None)
    [head, row] = Comparison(protocol=LatencyProtocol(), num_items=None, models=(plain,)).rows()
    assert len(head) == len(row) == 7


def test_markdown_has_a_line_a_model_and_no_name_breaks_it() -> None:
    lines = FOUND.to_markdown().splitlines()
    assert len(lines) == 4 and lines[1].startswith("| --- |")
    assert lines[3].replace(r"\|", "").count("|") == lines[2].count("|")


def test_csv_has_all_figures_and_the_errors_of_differences() -> None:
    first, second = csv.DictReader(io.StringIO(FOUND.to_csv()))
    assert float(second["accuracy_difference"]) == -0.03 and float(second["accuracy_difference_stderr"]) == 0.01
    assert first["accuracy_difference"] == "" and second["name"] == "small|int8"


def test_json_says_what_is_significant() -> None:
    content = FOUND.to_json()
    assert [each["significant"] for each in content["models"]] == [[], ["accuracy"]]
    assert content["models"][1]["flipped_share"] == 1 - 0.96
