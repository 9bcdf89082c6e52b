import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE, WordLevel, WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel, Whitespace

from ose.data.spelling import Spelling, require_spelling, spelling_of
from ose.errors import CorpusError


def byte_level(*merges: str) -> Tokenizer:
    """A token for each byte, and for what is merged of two others."""
    alphabet = sorted(ByteLevel.alphabet())
    pairs = [tuple(each.split()) for each in merges]
    words = {token: place for place, token in enumerate([*alphabet, *("".join(pair) for pair in pairs)])}
    tokenizer = Tokenizer(BPE(words, pairs))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    return tokenizer


def word_pieces(*words: str) -> Tokenizer:
    tokenizer = Tokenizer(WordPiece({word: place for place, word in enumerate(["[UNK]", *words])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def test_whole_words_are_no_pieces() -> None:
    found = spelling_of(["ab ab, ab", "ab"], word_pieces("ab", ","))
    assert found == Spelling(num_tokens=5, tokens_per_word=5 / 4, unknown_share=0.0, piece_share=0.0)


def test_characters_of_words_are_pieces_and_words_of_one_character_are_none() -> None:
    found = spelling_of(["I a ab"], word_pieces("I", "a", "##b"))
    assert (found.num_tokens, found.piece_share) == (4, 0.5)


def test_bytes_of_one_character_are_pieces() -> None:
    assert spelling_of(["ก ข"], byte_level()).piece_share == 1.0
    assert spelling_of(["a b"], byte_level()).piece_share == 0.0


@pytest.mark.parametrize("text", ["天気", "한국", "かな"])
def test_an_ideograph_is_a_word_of_its_own_unless_it_comes_in_bytes(text: str) -> None:
    assert spelling_of([text], word_pieces(*text)).piece_share == 0.0
    assert spelling_of([text], byte_level()).piece_share == 1.0


def test_what_the_vocabulary_does_not_know_is_counted() -> None:
    assert spelling_of(["ab ꙮ ab ꙮ"], word_pieces("ab")).unknown_share == 0.5
    levels = Tokenizer(WordLevel({"<unk>": 0, "ab": 1}, unk_token="<unk>"))
    levels.pre_tokenizer = Whitespace()
    assert spelling_of(["ab ab ab cd"], levels).unknown_share == 0.25


def test_no_text_has_no_tokens() -> None:
    assert spelling_of([], word_pieces("a")) == spelling_of([" "], word_pieces("a"))


def spelling(**changes: float) -> Spelling:
    values = {"num_tokens": 1000, "tokens_per_word": 1.0, "unknown_share": 0.5, "piece_share": 0.5}
    return Spelling(**{**values, **changes})


def test_up_to_a_half_is_spelled_and_so_is_what_is_too_little_to_tell() -> None:
    require_spelling(spelling(), "the text")
    require_spelling(spelling(num_tokens=99, unknown_share=1.0), "the text")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"unknown_share": 0.51}, "the text: 51% of its tokens are unknown to the teacher's vocabulary"),
        ({"piece_share": 0.9}, "the text: the teacher's vocabulary takes it apart: 90% are single characters or bytes"),
    ],
)
def test_more_is_refused_with_the_share(changes: dict[str, float], told: str) -> None:
    with pytest.raises(CorpusError, match=told):
        require_spelling(spelling(**changes), "the text")
