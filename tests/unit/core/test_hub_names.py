import pytest

from ose.core.hub_names import is_hub_part, is_repository, is_revision


@pytest.mark.parametrize("text", ["main", "v1.0", "0" * 40, "refs/pr/1", "feature/a_b-c", "release-2.x", "1.0+cpu"])
def test_commits_tags_and_branches_are_revisions(text: str) -> None:
    assert is_revision(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "/dev/zero", "a/", "a//b", "..", "a/../b", "a..b", ".hidden", "a/.b", "a.lock", "a.", "a b", "a\n",
        "\0", "a\x1b[0m", "a:b", "a@{1}", "~", "a^", "a*", "a\\b", "é", "a" * 201,
    ],
)  # fmt: skip
def test_what_git_or_a_path_takes_otherwise_is_no_revision(text: str) -> None:
    assert not is_revision(text)


@pytest.mark.parametrize("text", ["bert-base-uncased", "google-bert/bert-base", "a/b.c", "_x/9"])
def test_a_repository_has_one_owner_at_most(text: str) -> None:
    assert is_repository(text)


@pytest.mark.parametrize("text", ["", "a/b/c", "/a", "a/", "../a", "a/..", "a/b..c", "-a", "a.", "a b", "a" * 97, "é"])
def test_what_leads_elsewhere_is_no_repository(text: str) -> None:
    assert not is_repository(text)


def test_a_part_has_no_slash() -> None:
    assert is_hub_part("wikitext-2-raw-v1") and not is_hub_part("a/b")
