import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from searches import facts_of

from ose.core.job import CorpusFacts
from ose.core.spec import CorpusSpec
from ose.data.corpus import _sample, pack_corpus, pack_general
from ose.data.text_position import position_of
from ose.errors import CorpusError
from ose.inputs.corpora import inspect_corpus
from ose.tasks.fill_mask.teacher import load_tokenizer

LENGTH = 16


@pytest.fixture(scope="module")
def tokenizer(tiny_roberta: Path) -> object:
    return load_tokenizer(facts_of(tiny_roberta).path)


def write(file: Path, documents: list[str]) -> Path:
    file.write_text("".join(" ".join(document.split()) + "\n" for document in documents))
    return file


def words(number: int) -> str:
    """A document that is unlike any other: its number, told again and again."""
    return f"the number {hashlib.sha256(str(number).encode()).hexdigest()}"


def spec_of(*train: Path, validation: tuple[Path, ...] = (), **changes: object) -> CorpusSpec:
    names = {"train": tuple(map(str, train)), "validation": tuple(map(str, validation))}
    return CorpusSpec(**{**names, "sequence_length": LENGTH, **changes})


def pack(spec: CorpusSpec, tokenizer: object, side: str = "train", **options: object) -> np.ndarray:
    return pack_corpus(inspect_corpus(spec), spec, tokenizer, side, **options)


def texts(sequences: np.ndarray, tokenizer: object) -> str:
    return " ".join(tokenizer.batch_decode(sequences))


def test_everything_is_packed_when_no_number_is_asked_for(tmp_path: Path, tokenizer: object) -> None:
    spec = spec_of(
        write(tmp_path / "a", [words(i) for i in range(40)]), validation=(write(tmp_path / "b", [words(99)] * 9),)
    )
    sequences = pack(spec, tokenizer)
    num_tokens = sum(
        len(ids) + 1 for ids in tokenizer([words(i) for i in range(40)], add_special_tokens=False).input_ids
    )
    assert sequences.shape == (num_tokens // (LENGTH - 2), LENGTH)
    assert sequences.dtype == np.uint16


def test_the_seed_decides_the_order_and_nothing_else(tmp_path: Path, tokenizer: object) -> None:
    file = write(tmp_path / "a", [words(i) for i in range(60)])
    spec = spec_of(file, validation=(write(tmp_path / "b", [words(99)] * 9),))
    first, again, other = (pack(spec, tokenizer, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert sorted(first.tolist()) == sorted(other.tolist())


@pytest.mark.slow
def test_without_validation_text_a_thirty_second_of_the_documents_is_held_out(
    tmp_path: Path, tokenizer: object
) -> None:
    spec = spec_of(write(tmp_path / "a", [words(i) for i in range(3000)]))
    train, held_out = pack(spec, tokenizer), pack(spec, tokenizer, "validation")
    share = len(held_out) / (len(train) + len(held_out))
    assert share == pytest.approx(1 / 32, abs=4 * (1 / 32 / 3000) ** 0.5)


def test_no_document_is_on_both_sides_whatever_the_reading_order(tmp_path: Path, tokenizer: object) -> None:
    documents = [f"({i})" for i in range(1000)]
    forwards = spec_of(write(tmp_path / "a", documents))
    backwards = spec_of(write(tmp_path / "b", documents[::-1]))
    train, held_out = (
        numbers(pack(forwards, tokenizer), tokenizer),
        numbers(pack(backwards, tokenizer, "validation"), tokenizer),
    )
    assert len(train) > 500
    assert len(held_out) > 10
    assert not train & held_out
    assert not numbers(pack(backwards, tokenizer), tokenizer) & held_out


def numbers(sequences: np.ndarray, tokenizer: object) -> set[str]:
    return set(re.findall(r"\(\d+\)", texts(sequences, tokenizer)))


def test_a_sample_does_not_depend_on_the_reading_order(tmp_path: Path, tokenizer: object) -> None:
    documents = [words(i) for i in range(500)]
    validation = (write(tmp_path / "v", [words(99)] * 9),)
    forwards = spec_of(write(tmp_path / "a", documents), validation=validation)
    backwards = spec_of(write(tmp_path / "b", documents[::-1]), validation=validation)
    assert np.array_equal(*(pack(spec, tokenizer, num_sequences=20) for spec in (forwards, backwards)))


def test_a_number_asked_for_is_a_sample_of_the_whole_text(tmp_path: Path, tokenizer: object) -> None:
    front, back = ["front " + words(i) for i in range(3000)], ["back " + words(i) for i in range(3000)]
    spec = spec_of(write(tmp_path / "a", front + back), validation=(write(tmp_path / "b", [words(99)] * 9),))
    sequences = pack(spec, tokenizer, num_sequences=200)
    assert sequences.shape == (200, LENGTH)
    decoded = texts(sequences, tokenizer)
    share = decoded.count("back") / (decoded.count("back") + decoded.count("front"))
    assert 0.3 < share < 0.7


def test_few_long_documents_are_read_whole_when_sampling_them_gives_too_little(
    tmp_path: Path, tokenizer: object
) -> None:
    documents = [" ".join(words(i) for i in range(first, first + 200)) for first in (0, 200)]
    spec = spec_of(write(tmp_path / "a", documents), validation=(write(tmp_path / "b", [words(99)] * 9),))
    assert len(pack(spec, tokenizer, num_sequences=4)) == 4


def test_fewer_sequences_than_asked_for_are_all_there_are(tmp_path: Path, tokenizer: object) -> None:
    spec = spec_of(
        write(tmp_path / "a", [words(i) for i in range(20)]), validation=(write(tmp_path / "b", [words(99)] * 9),)
    )
    everything = pack(spec, tokenizer)
    assert len(pack(spec, tokenizer, num_sequences=10_000)) == len(everything)


def test_no_more_tokens_are_read_than_allowed(tmp_path: Path, tokenizer: object) -> None:
    file = write(tmp_path / "a", [words(i) for i in range(100)])
    spec = spec_of(file, validation=(file.with_name("b"),), max_tokens=10 * LENGTH + 3)
    write(tmp_path / "b", [words(99)] * 9)
    assert len(pack(spec, tokenizer)) == 10


@pytest.mark.parametrize("side", ["train", "validation"])
def test_text_that_fills_no_sequence_is_refused(side: str, tmp_path: Path, tokenizer: object) -> None:
    spec = spec_of(write(tmp_path / "a", ["short"]), validation=(write(tmp_path / "b", ["brief"]),))
    with pytest.raises(CorpusError, match=f"the {side} text is too short: .* one sequence of {LENGTH} tokens"):
        pack(spec, tokenizer, side)


def test_a_single_document_leaves_nothing_to_hold_out(tmp_path: Path, tokenizer: object) -> None:
    spec = spec_of(write(tmp_path / "a", [" ".join(words(i) for i in range(50))]))
    facts: CorpusFacts = inspect_corpus(spec)
    sides = []
    for side in ("train", "validation"):
        try:
            sides.append(len(pack_corpus(facts, spec, tokenizer, side)))
        except CorpusError:
            sides.append(0)
    assert sorted(map(bool, sides)) == [False, True]


@pytest.mark.parametrize(("most", "kept"), [(10**9, 300), (1_000, 15)])
def test_a_sample_is_the_beginning_of_its_order_as_far_as_there_is_room(most: int, kept: int):
    documents = [words(number) for number in range(300)]
    share = 0.5 if kept == 15 else 1.0
    placed = sorted((position_of(each, "7"), each) for each in documents)
    expected = [document for position, document in placed if position < share]
    found = _sample(documents, share, 7, most)
    assert found == expected[: len(found)]
    assert min(most, sum(map(len, expected))) <= sum(map(len, found)) < most + 2 * len(documents[0])


def test_text_without_labels_is_packed_whole(tmp_path: Path, tokenizer: object) -> None:
    (tmp_path / "rows.txt").write_text("one row\n")
    (tmp_path / "general.txt").write_text("a line of general text, which is long enough to be packed\n" * 50)
    spec = CorpusSpec(train=(str(tmp_path / "rows.txt"),), general=(str(tmp_path / "general.txt"),), sequence_length=16)
    packed = pack_general(inspect_corpus(spec), spec, tokenizer)
    assert packed.shape[1] == 16 and len(packed) > 20
    few = CorpusSpec(train=spec.train, general=spec.train, sequence_length=16)
    with pytest.raises(CorpusError, match=r"corpus\.general is too short"):
        pack_general(inspect_corpus(few), few, tokenizer)
