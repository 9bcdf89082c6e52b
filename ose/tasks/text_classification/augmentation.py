"""Change texts into others, which the teacher labels too (Tang et al., arXiv 1903.12136, section 3.3).

Words are masked, words of one token become a near one, and texts are cut down to a few words in a row. Of pairs the
first text is changed, the second or both, one time in three each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from ose.artifacts.intact import intact_file, is_intact
from ose.core.augmentation import AugmentationSpec
from ose.core.job import Job
from ose.core.packed_text import packed_text_key
from ose.core.recipe import DistillationSpec
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.teacher import load_classifier
from ose.tasks.text_classification.words import TokenKinds, nearest_words, single_token_words

MOST_WORDS = 5
"""In a row, of those that a text is cut down to."""

_FIRST, _SECOND = 0, 1
_CHOICES = ((_FIRST,), (_SECOND,), (_FIRST, _SECOND))


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Changes items at random.

    Attributes:
        spec: How often, and by which chances.
        kinds: Of tokens.
        neighbours: (V, K), what `nearest_words` found.
    """

    spec: AugmentationSpec
    kinds: TokenKinds
    neighbours: np.ndarray

    def __call__(self, items: TextItems, generator: np.random.Generator) -> TextItems:
        """The items, of which `copies` in `copies + 1` are given to chance on average; the others stay as they are."""
        are_changed = generator.random(len(items)) < self.spec.copies / (self.spec.copies + 1)
        input_ids, lengths = items.input_ids.clone(), items.lengths.clone()
        token_types = None if items.token_type_ids is None else items.token_type_ids.clone()
        for row in np.flatnonzero(are_changed).tolist():
            ids, kept = self._changed(items.input_ids[row, : lengths[row]].numpy(), generator)
            num_kept = int(kept.sum())
            if token_types is not None:
                token_types[row, :num_kept] = token_types[row, : lengths[row]][torch.from_numpy(kept)]
                token_types[row, num_kept:] = 0
            input_ids[row] = self.kinds.pad_token
            input_ids[row, :num_kept] = torch.from_numpy(ids[kept])
            lengths[row], are_changed[row] = num_kept, not input_ids[row].equal(items.input_ids[row])
        return replace(
            items,
            input_ids=input_ids,
            lengths=lengths,
            token_type_ids=token_types,
            are_changed=torch.from_numpy(are_changed),
        )

    def _changed(self, ids: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A sequence (T,) with other words, and which of its tokens are kept."""
        is_word, starts = ~self.kinds.are_structure[ids], self.kinds.word_starts(ids)
        if not starts.any():
            return ids, ~is_word
        word_of = np.where(is_word, starts.cumsum() - 1, -1)
        texts = _texts_of_words(is_word, starts)
        chosen = np.isin(texts, _chosen(texts, generator))
        changed = self._other_words(ids, word_of, chosen, generator)
        return changed, ~is_word | self._kept_words(texts, chosen, generator)[word_of]

    def _other_words(
        self, ids: np.ndarray, word_of: np.ndarray, chosen: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """The sequence with some words masked and others replaced."""
        changed, chances, num_neighbours = ids.copy(), generator.random(len(chosen)), self.neighbours.shape[1]
        masked, mask = chosen & (chances < self.spec.mask), self.kinds.mask_token
        if mask is not None:
            changed[np.isin(word_of, np.flatnonzero(masked))] = mask
        replaced = chosen & ~masked & (chances < self.spec.mask + self.spec.replace)
        picks = generator.integers(max(1, num_neighbours), size=len(chosen))
        lengths = np.bincount(word_of[word_of >= 0], minlength=len(chosen))
        for word in np.flatnonzero(replaced & (lengths == 1) & (num_neighbours > 0)).tolist():
            [place] = np.flatnonzero(word_of == word)
            neighbour = self.neighbours[ids[place], picks[word]]
            changed[place] = ids[place] if neighbour < 0 else neighbour
        return changed

    def _kept_words(self, texts: np.ndarray, chosen: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(W,), whether a word stays; of each text that is changed all do, or a few in a row."""
        kept = np.ones(len(texts), dtype=bool)
        for text in (_FIRST, _SECOND):
            words = np.flatnonzero(chosen & (texts == text))
            if len(words) and generator.random() < self.spec.ngram:
                count = min(int(generator.integers(1, MOST_WORDS + 1)), len(words))
                first = int(generator.integers(len(words) - count + 1))
                kept[words] = False
                kept[words[first : first + count]] = True
        return kept


def augmentation_of(
    job: Job, spec: DistillationSpec, items: TextItems, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> Augmentation | None:
    """What a recipe does to a job's items; None if nothing.

    Args:
        job: Its teacher's embeddings tell which words are near.
        spec: The recipe.
        items: Of the training part.
        tokenizer: The teacher's.
        folder: Where near words are kept, since finding them takes some seconds.

    Raises:
        TeacherError: The teacher cannot be loaded.
        StorageError: The folder cannot be written.
    """
    if spec.augmentation is None:
        return None
    kinds = TokenKinds.of(tokenizer, job.teacher.embedding.vocab_size)
    file = folder / f"{packed_text_key(job)}-near-words.npy"
    if not is_intact(file):
        teacher = load_classifier(job.teacher.path, job.teacher.digest)
        embeddings: Any = teacher.get_input_embeddings()
        near = nearest_words(embeddings.weight.detach(), single_token_words(items, kinds))
        with intact_file(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, near, allow_pickle=False)
    return Augmentation(spec=spec.augmentation, kinds=kinds, neighbours=np.load(file, mmap_mode="r"))


def _texts_of_words(is_word: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(W,), the text that each word belongs to: what stands between structure is one, and all later ones the second."""
    begins = is_word & ~np.concatenate([[False], is_word[:-1]])
    texts: np.ndarray = np.minimum(begins.cumsum() - 1, _SECOND)[starts]
    return texts


def _chosen(texts: np.ndarray, generator: np.random.Generator) -> tuple[int, ...]:
    """Which texts are changed."""
    if not len(texts) or texts[-1] == _FIRST:
        return (_FIRST,)
    return _CHOICES[int(generator.integers(len(_CHOICES)))]
