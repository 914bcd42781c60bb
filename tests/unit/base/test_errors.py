from reconix.base.errors import ReconixError, UsageError


def test_an_error_has_a_fact_a_hint_and_an_exit_code() -> None:
    error = UsageError("the fact", hint="the next step")
    assert isinstance(error, ReconixError)
    assert (str(error), error.hint, error.exit_code) == ("the fact", "the next step", 2)


def test_a_hint_is_not_required() -> None:
    assert ReconixError("the fact").hint == ""
