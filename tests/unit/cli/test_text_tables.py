from ose.cli.text_tables import aligned_lines


def test_words_begin_left_and_figures_end_right() -> None:
    rows = [("name", "loss", ""), ("a", "3.10", "*"), ("longer", "12.0", "")]
    assert aligned_lines(rows, {"name", ""}) == ["name   loss", "a      3.10 *", "longer 12.0"]
