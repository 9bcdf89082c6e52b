import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ose.data.tables import Row
from ose.tasks.text_classification.encoding import encode_rows, encoded_rows
from ose.tasks.text_classification.items import TextItems

LONG = "word " * 100


def rows(*texts: str | tuple[str, str]) -> list[Row]:
    both = [each if isinstance(each, tuple) else (each, None) for each in texts]
    return [Row(place="here", text=text, text_pair=pair, label=None, query_id=None) for text, pair in both]


def encoded(tokenizer: PreTrainedTokenizerBase, *texts: str | tuple[str, str], types: bool = True) -> TextItems:
    return encode_rows(rows(*texts), tokenizer, 16, has_token_types=types)


@pytest.fixture
def bert(tiny_bert: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_bert)


@pytest.fixture
def roberta(tiny_roberta: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_roberta)


def test_texts_are_what_the_tokenizer_says_and_padded_at_the_right(bert: PreTrainedTokenizerBase) -> None:
    found = encoded(bert, "Return it.", "")
    for row, text in enumerate(("Return it.", "")):
        expected = bert(text)["input_ids"]
        assert found.input_ids[row, : found.lengths[row]].tolist() == expected
        assert (found.input_ids[row, found.lengths[row] :] == bert.pad_token_id).all()
    assert found.lengths[1] == 2 and found.input_ids.shape == (2, 16)


def test_a_long_text_is_cut_at_its_end(bert: PreTrainedTokenizerBase) -> None:
    found = encoded(bert, "first " + LONG)
    assert found.lengths.tolist() == [16]
    assert found.input_ids[0, :-1].tolist() == bert("first " + LONG)["input_ids"][:15]
    assert found.input_ids[0, -1] == bert.sep_token_id


@pytest.mark.parametrize(("text", "pair"), [("Return it.", LONG), (LONG, "Return it.")], ids=["second", "first"])
def test_of_a_pair_the_longer_text_is_cut(text: str, pair: str, bert: PreTrainedTokenizerBase) -> None:
    found = encoded(bert, (text, pair))
    short = bert("Return it.", add_special_tokens=False)["input_ids"]
    kept = found.input_ids[0].tolist()
    assert any(kept[start : start + len(short)] == short for start in range(16)) and found.lengths[0] == 16


def test_pairs_are_told_apart_where_model_and_tokenizer_do(
    bert: PreTrainedTokenizerBase, roberta: PreTrainedTokenizerBase
) -> None:
    types = encoded(bert, ("a", "b")).token_type_ids
    assert types is not None and types[0, :5].tolist() == bert("a", "b")["token_type_ids"]
    assert encoded(bert, ("a", "b"), types=False).token_type_ids is None
    assert encoded(bert, "a").token_type_ids is None
    assert encoded(roberta, ("a", "b")).token_type_ids is None  # nor does it tell the model's users


def test_what_the_tokenizers_file_pads_and_cuts_does_not_matter(
    bert: PreTrainedTokenizerBase, tiny_bert: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_bert, tmp_path / "baked")
    content = json.loads((folder / "tokenizer.json").read_text())
    content["truncation"] = {"direction": "Left", "max_length": 4, "strategy": "OnlyFirst", "stride": 1}
    content["padding"] = {"strategy": {"Fixed": 40}, "direction": "Left", "pad_to_multiple_of": 8}
    content["padding"] |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    baked = AutoTokenizer.from_pretrained(folder, padding_side="left")
    texts = (("Return it.", LONG), ("", "The list of them."))
    found, expected = encoded(baked, *texts), encoded(bert, *texts)
    assert torch.equal(found.input_ids, expected.input_ids) and torch.equal(found.lengths, expected.lengths)


def test_a_tokenizer_is_left_as_it_is_for_it_is_saved_beside_the_student(
    bert: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    bert.save_pretrained(tmp_path / "before")
    encoded(bert, "a", LONG)
    bert.save_pretrained(tmp_path / "after")
    for file in (tmp_path / "before").iterdir():
        assert file.read_bytes() == (tmp_path / "after" / file.name).read_bytes(), file.name


def test_as_cut_counts_what_was_longer_and_not_what_fits_exactly(bert: PreTrainedTokenizerBase) -> None:
    words = " ".join(["a"] * 14)
    assert len(bert(words)["input_ids"]) == 16
    found = encoded_rows(rows(words, words, f"{words} a", "a"), bert, 16, has_token_types=True)
    assert found.share_cut == 0.25 and found.items.lengths.tolist() == [16, 16, 16, 3]
