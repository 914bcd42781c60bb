"""A rule that changes is told: what went newly, and what came back."""

from tests.installed_packages import add_generation

from reconix.build.inspect.generations import systems_of
from reconix.build.minify.plan import Wanted
from reconix.composition.minify_changes import Step, moved
from reconix.nix.chroot import ChrootStore
from reconix.store.paths import StorePath

TOOL, SERVER = Wanted(packages=("tool",)), Wanted(packages=("server",))


def toplevel(store: ChrootStore, wanted: Wanted | None) -> StorePath:
    made = add_generation(store, minify={"mail": wanted} if wanted else None)
    return systems_of(store, made)["mail"]


def test_what_went_newly_and_what_came_back_is_told_by_rule(built: ChrootStore) -> None:
    before, after = toplevel(built, TOOL), toplevel(built, SERVER)
    taken, back = moved(built, before, after)[1], moved(built, before, after)[0]
    assert (taken.step, taken.rule) == (Step.TAKEN, "nothing reaches it")
    assert "usr/bin/tool" in taken.paths
    assert "usr/sbin/server" not in taken.paths
    assert (back.step, back.rule) == (Step.BACK, "nothing reaches it")
    assert "usr/sbin/server" in back.paths
    assert taken.size_bytes > 0 < back.size_bytes


def test_a_system_that_is_minified_for_the_first_time_loses_by_each_rule(
    built: ChrootStore,
) -> None:
    full, minimal = toplevel(built, None), toplevel(built, TOOL)
    found = moved(built, full, minimal)
    assert {each.step for each in found} == {Step.TAKEN}
    assert {"documents", "package manager"} <= {each.rule for each in found}
    assert {each.step for each in moved(built, minimal, full)} == {Step.BACK}


def test_nothing_is_told_where_nothing_changed(built: ChrootStore) -> None:
    minimal = toplevel(built, TOOL)
    assert moved(built, minimal, minimal) == []
