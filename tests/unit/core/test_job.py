from ose.core.job import CandidateStatus, JobStatus


def test_a_job_rests_in_three_states() -> None:
    assert {status for status in JobStatus if status.is_terminal} == {"SUCCEEDED", "FAILED", "CANCELLED"}


def test_a_candidate_needs_no_further_trial_in_four_states() -> None:
    ended = {status for status in CandidateStatus if status.is_terminal}
    assert ended == {"SUCCEEDED", "SUPERSEDED", "REJECTED", "FAILED"}
