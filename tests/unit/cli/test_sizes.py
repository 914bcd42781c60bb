"""Tables of sizes."""

from reconix.cli.sizes import table


def test_numbers_of_a_table_end_in_one_column() -> None:
    assert [*table([("size", "of"), ("1 B", "a"), ("10 KiB", "b")])] == [
        "  size  of",
        "   1 B  a",
        "10 KiB  b",
    ]
