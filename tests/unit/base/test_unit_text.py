from reconix.base.unit_text import assignments

UNIT = """\
[Unit]
After=a.service
# WantedBy=comment.target
[Install]
WantedBy = one.target \\
  two.target
; Also=comment.service
Also=
"""
DROP_IN = "Also=outside.service\n[Install]\nAlso=b.service\n"


def test_what_a_section_says_is_read_from_a_unit_and_its_drop_ins_in_order() -> None:
    assert list(assignments([UNIT, DROP_IN], "Install")) == [
        ("WantedBy", "one.target    two.target"),
        ("Also", ""),
        ("Also", "b.service"),
    ]
    assert list(assignments([UNIT], "Unit")) == [("After", "a.service")]
