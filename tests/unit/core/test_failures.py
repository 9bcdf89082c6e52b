from ose.core.failures import StageFailedError, failure_report
from ose.core.job import FailureReport
from ose.errors import MemoryExhaustedError, NonFiniteLossError


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_an_error_of_ours_keeps_its_code_and_says_whether_to_retry() -> None:
    report = failure_report(raised(NonFiniteLossError("the loss is nan at step 3")))
    assert (report.code, report.message, report.is_retryable) == ("non_finite_loss", "the loss is nan at step 3", False)
    assert failure_report(MemoryExhaustedError("full")).is_retryable


def test_a_foreign_error_is_told_with_its_type_if_it_says_nothing() -> None:
    assert (failure_report(KeyError()).code, failure_report(KeyError()).message) == ("error", "KeyError")


def test_a_traceback_says_where() -> None:
    assert "in raised" in failure_report(raised(NonFiniteLossError("nan"))).traceback


def test_a_failed_stage_is_told_in_its_workers_words() -> None:
    failure = FailureReport(code="storage", message="the disk is full", traceback="there")
    assert failure_report(StageFailedError(failure)) == failure
