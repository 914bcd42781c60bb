"""Of many bad states some are kept, and of each kind."""

from reconix.prove.prover import KEPT_ALIKE, KEPT_CASES, Case, Tally
from reconix.prove.states import Cut


def tally(*problems: str) -> Tally:
    made = Tally()
    for problem in problems:
        made.keep(Case("a step", Cut(0), problem))
    return made


def test_a_frequent_problem_does_not_hide_a_rare_one() -> None:
    total = tally(*["frequent"] * 50)
    total.add(tally("rare"))
    assert [case.problem for case in total.cases] == ["frequent"] * KEPT_ALIKE + ["rare"]


def test_not_more_are_kept_than_anybody_reads() -> None:
    total = tally(*map(str, range(15)))
    total.add(tally(*map(str, range(10, 30))))
    assert len(total.cases) == KEPT_CASES
