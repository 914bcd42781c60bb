"""Which of several images is for a machine."""

import pytest

from reconix.containers.platforms import Platform, best


def chosen(architecture: str, *offers: str) -> str | None:
    parsed = [(Platform(*offer.split("/")), offer) for offer in offers]
    return best(parsed, architecture)


@pytest.mark.parametrize(
    ("architecture", "offers", "expected"),
    [
        ("amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"),
        ("amd64", ["linux/amd64/v3", "linux/amd64/v1"], "linux/amd64/v1"),
        ("amd64", ["linux/amd64/v3"], None),
        ("arm64", ["linux/arm64/v9", "linux/arm64", "linux/arm64/v8"], "linux/arm64/v8"),
        ("arm64", ["linux/arm64/v9", "linux/arm64"], "linux/arm64"),
        ("arm64", ["linux/arm/v7", "windows/arm64", "linux/amd64"], None),
        ("amd64", ["unknown/unknown"], None),
        ("amd64", [], None),
        ("riscv64", ["linux/riscv64"], "linux/riscv64"),
    ],
)
def test_the_best_that_runs_is_taken(
    architecture: str, offers: list[str], expected: str | None
) -> None:
    assert chosen(architecture, *offers) == expected


def test_of_equal_ones_the_first_is_taken() -> None:
    same = Platform("linux", "amd64")
    assert best([(same, "first"), (same, "second")], "amd64") == "first"


def test_attestations_are_of_no_image() -> None:
    assert not Platform("unknown", "unknown").is_of_an_image
    assert str(Platform("linux", "arm64", "v8")) == "linux/arm64/v8"
