import pytest

from ose.tasks.fill_mask.predict import likeliest_fillings
from ose.tasks.fill_mask.teacher import load_tokenizer


@pytest.mark.parametrize("fixture", ["tiny_roberta", "tiny_bert"])
def test_a_mask_is_filled_with_the_likeliest_tokens(fixture: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(fixture)
    everything = likeliest_fillings(folder, "Return the <mask> of the list.", count=len(load_tokenizer(folder)))
    probabilities = [probability for _, probability in everything]
    assert sum(probabilities) == pytest.approx(1)
    assert probabilities == sorted(probabilities, reverse=True)
    likeliest = likeliest_fillings(folder, "Return the <mask> of the list.")
    assert [token for token, _ in likeliest] == [token for token, _ in everything[:5]]
    assert [probability for _, probability in likeliest] == pytest.approx(probabilities[:5])
