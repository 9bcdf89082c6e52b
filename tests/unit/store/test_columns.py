from __future__ import annotations

import json
from dataclasses import asdict, replace

import builders
import pytest
from sqlalchemy.dialects.sqlite import dialect

from ose.core.job import CorpusFacts
from ose.core.spec import Columns, JobSpec
from ose.errors import UnreadableError
from ose.store.columns import EncodedColumn

SPEC = builders.job_spec()


def former(**changes: object) -> str:
    """A job as versions stored it that knew one column."""
    content = asdict(SPEC)
    corpus = {name: content["corpus"][name] for name in ("train", "validation", "sequence_length", "max_tokens")}
    return json.dumps({**content, "corpus": {**corpus, "text_field": "body", **changes}})


def test_a_job_that_was_stored_before_there_were_columns_is_read() -> None:
    spec = EncodedColumn(JobSpec).process_result_value(former(), dialect())
    assert spec == replace(SPEC, corpus=replace(SPEC.corpus, columns=Columns(text="body")))


@pytest.mark.parametrize(
    "text", [former(columns={"text": "a"}), former(text_field=5), former()[:-5], '["text_field"]', '"text_field"']
)
def test_what_is_no_job_of_either_kind_cannot_be_read(text: str) -> None:
    with pytest.raises(UnreadableError, match="the database holds a JobSpec that this OSE cannot read"):
        EncodedColumn(JobSpec).process_result_value(text, dialect())


def test_a_corpus_of_before_reads_each_line_of_a_table_as_a_document() -> None:
    stored = '{"train": ["/a.csv"], "validation": [], "digest": "c", "size_bytes": 1, "root": null}'
    facts = EncodedColumn(CorpusFacts).process_result_value(stored, dialect())
    assert facts == CorpusFacts(train=("/a.csv",), validation=(), digest="c", size_bytes=1, tables=False)
