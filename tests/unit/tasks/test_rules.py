import json

import pytest

from ose.tasks.registry import TASKS, task_rules


@pytest.mark.parametrize("name", TASKS)
def test_a_line_of_python_loads_a_folder_of_any_name(name: str) -> None:
    line = task_rules(name).loaded_from('a "folder" of Ü')
    compile(line, "card", "exec")
    assert json.dumps('a "folder" of Ü', ensure_ascii=False) in line


@pytest.mark.parametrize("name", TASKS)
def test_a_class_is_known_by_its_name_and_no_name_says_nothing(name: str) -> None:
    rules, others = task_rules(name), [task_rules(each) for each in TASKS if each != name]
    known = f"Roberta{rules.model_classes[0]}"
    assert rules.suits(known) and rules.suits("") and not rules.suits("RobertaModel")
    assert not any(other.suits(known) for other in others)


def test_rows_are_items_where_more_is_read_than_text() -> None:
    assert task_rules("text_classification").reads_rows and not task_rules("fill_mask").reads_rows
