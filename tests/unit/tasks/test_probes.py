from pathlib import Path

from transformers import AutoTokenizer

from ose.tasks.probes import TEXTS, encoded, first_token


def test_texts_are_cut_at_what_the_tokenizer_says_and_no_further_than_attention_takes_quickly(tiny_bert: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    assert encoded(tokenizer, TEXTS)["input_ids"].shape == (len(TEXTS), tokenizer.model_max_length)
    tokenizer.model_max_length = 10**30
    assert encoded(tokenizer, TEXTS[-1:])["input_ids"].shape == (1, 512)


def test_one_text_alone_is_not_padded_and_needs_no_padding_token(tiny_bert: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.pad_token = None
    assert encoded(tokenizer, [""])["input_ids"].tolist() == [[tokenizer.cls_token_id, tokenizer.sep_token_id]]
    assert first_token(encoded(tokenizer, ["a"]))["input_ids"].tolist() == [[tokenizer.cls_token_id]]
