"""Chains that lead to a package."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from tests.installed_packages import FIELDS, status

from reconix.composition.dependencies import Chain, Dependencies, Need
from reconix.composition.installed import Installed, Named, Relation, parse_installed

NAMES = "abcdefgh"


def dependencies() -> Dependencies:
    return Dependencies(parse_installed(status(*FIELDS)))


def steps(chain: Chain) -> list[tuple[str, str]]:
    return [(need.package, need.needed) for need in chain]


def test_a_chain_leads_from_each_that_needs_it_nearest_first() -> None:
    found = dependencies().chains("base")
    assert list(found) == ["base", "library", "tool", "server", "shell"]
    assert found["base"] == ()
    assert steps(found["shell"]) == [("shell", "library"), ("library", "base")]
    assert steps(found["server"]) == [("server", "tool"), ("tool", "base")]


def test_a_need_says_what_the_package_says() -> None:
    (need,) = dependencies().chains("post")["server"]
    assert need.relation.text == "absent | mailer"
    assert need.needed == "post"
    assert not need.is_only_choice
    (need,) = dependencies().chains("tool")["server"]
    assert need.is_only_choice


def test_what_provides_a_name_is_known() -> None:
    assert dependencies().providers("mailer") == ["post"]
    assert dependencies().providers("absent") == []


GRAPHS = st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES)), min_size=1)


def made(graph: dict[str, set[str]]) -> Dependencies:
    return Dependencies(
        Installed(
            name,
            "1",
            "amd64",
            name,
            "1",
            is_essential=False,
            relations=tuple(Relation((Named(other),), other) for other in sorted(needed)),
            provides=(),
        )
        for name, needed in graph.items()
    )


def distances(graph: dict[str, set[str]], target: str) -> dict[str, int]:
    """How far each is from the target, found in another way: by trying all lengths."""
    found = {target: 0}
    for length in range(1, len(graph)):
        nearer = [name for name, steps in found.items() if steps == length - 1]
        for name in graph.keys() - found.keys():
            if graph[name] & {*nearer}:
                found[name] = length
    return found


@given(graph=GRAPHS, data=st.data())
def test_chains_are_the_shortest_and_hang_together(
    graph: dict[str, set[str]], data: st.DataObject
) -> None:
    target = data.draw(st.sampled_from(sorted(graph)))
    found = made(graph).chains(target)
    assert {name: len(chain) for name, chain in found.items()} == distances(graph, target)
    for name, chain in found.items():
        if chain:
            assert (chain[0].package, chain[-1].needed) == (name, target)
            assert all(one.needed == other.package for one, other in itertools.pairwise(chain))
            assert all(need.needed in graph[need.package] for need in chain)
    assert list(found) == sorted(found, key=lambda name: (len(found[name]), name))


def test_who_is_needed_by_whom_is_the_same_the_other_way_round() -> None:
    known = dependencies()
    forward = {(n.package, n.needed) for name in known.packages for n in known.needs(name)}
    back = {(n.package, n.needed) for needs in known.needed_by().values() for n in needs}
    assert forward == back
    assert ("shell", "library") in forward


def test_a_package_that_satisfies_itself_does_not_need_itself() -> None:
    needs: list[Need] = list(made({"a": {"a"}}).needs("a"))
    assert needs == []
