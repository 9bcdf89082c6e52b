"""TF-IDF of words and of the characters in them: what a text says without its order, and without any teacher."""

from __future__ import annotations

from collections.abc import Sequence

import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion
from transformers import PreTrainedTokenizerBase

from ose.baselines.linear_model import Features, pair_features
from ose.baselines.texts import Text

Words = tuple[str, ...]
"""One text, or the two of a pair, as words."""


class BagOfWords:
    """Words, pairs of words, and two to five characters within a word.

    Args:
        texts: That are trained on.
        tokenizer: Gives their words.
    """

    strength = 10.0
    library = f"scikit-learn {sklearn.__version__}"
    num_parameters = 0

    def __init__(self, texts: Sequence[Text], tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._vectorizer = FeatureUnion(
            [
                ("words", TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")),
                ("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)),
            ]
        )
        self._vectorizer.fit([text for words in self.read(texts) for text in words])

    def read(self, texts: Sequence[Text]) -> list[Words]:
        """What its latency begins with: words, as they were written as far as token ids tell."""
        return [tuple(self._decoded([ids.tolist() for ids in text])) for text in texts]

    def _decoded(self, texts: list[list[int]]) -> list[str]:
        return self._tokenizer.batch_decode(texts, clean_up_tokenization_spaces=True)

    def features(self, texts: Sequence[Words]) -> Features:
        """(N, F), sparse."""
        parts = [self._vectorizer.transform(each).tocsr() for each in zip(*texts, strict=True)]
        return parts[0] if len(parts) == 1 else pair_features(*parts)
