from dataclasses import replace

import pytest

from ose.core.job import TextFacts
from ose.core.messages import DataRequest
from ose.errors import CorpusError
from ose.tasks.fill_mask.teacher import load_tokenizer
from ose.tasks.spelled import require_spelled

THAI = ["สวัสดีครับ วันนี้อากาศดีมาก ผมไปตลาดกับเพื่อนและซื้อผลไม้หลายอย่าง"] * 20
SEEN = TextFacts(
    num_read=1,
    num_without_text=0,
    tokens_per_word=1.0,
    unknown_share=0.0,
    piece_share=0.0,
    overlap_share=0.0,
    levelled_overlap_share=0.0,
    num_compared=1,
)


def test_text_that_submission_could_not_look_at_is_looked_at_now(search: DataRequest) -> None:
    tokenizer = load_tokenizer(search.teacher.path)
    require_spelled(search, ["plain words, as the vocabulary has them"] * 50, tokenizer)
    with pytest.raises(CorpusError, match="the training text: the teacher's vocabulary takes it apart"):
        require_spelled(search, THAI, tokenizer)


def test_text_that_was_looked_at_or_is_meant_is_taken(search: DataRequest) -> None:
    tokenizer = load_tokenizer(search.teacher.path)
    require_spelled(replace(search, corpus=replace(search.corpus, texts=SEEN)), THAI, tokenizer)
    require_spelled(replace(search, corpus_spec=replace(search.corpus_spec, as_is=True)), THAI, tokenizer)
