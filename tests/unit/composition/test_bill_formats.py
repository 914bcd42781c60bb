"""Bills in their two formats, as the libraries of these formats read them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.json.json_parser import parse_from_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from reconix.base.documents import print_json
from reconix.composition import bill, cyclonedx, spdx
from reconix.composition.bill import Bill
from reconix.composition.bill_text import iso_date, uuid_of
from reconix.composition.subject import HostSubject
from reconix.nix.chroot import ChrootStore


@pytest.fixture
def made(host: HostSubject, built: ChrootStore) -> Bill:
    return bill.make(host, host.roots(built, *host.host.systems))


def test_cyclonedx_is_valid_and_says_all(made: Bill) -> None:
    content = print_json(cyclonedx.document(made)).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content) is None
    document = json.loads(content)
    parts = {each["name"]: each for each in document["components"]}
    tool = parts["tool"]
    assert tool["purl"] == tool["bom-ref"]
    assert tool["hashes"][0]["alg"] == "SHA-256"
    assert {"name": "reconix:source", "value": "tool"} in tool["properties"]
    assert tool["licenses"] == [{"license": {"id": "MIT"}}, {"license": {"name": "own words"}}]
    assert parts["debian"]["type"] == "operating-system"
    assert parts["debian"]["version"] == "13"
    assert document["serialNumber"] == f"urn:uuid:{uuid_of(made)}"
    refs = [each["ref"] for each in document["dependencies"]]
    assert refs == ["subject", *(each["bom-ref"] for each in document["components"])]


def test_spdx_is_valid_and_says_all(made: Bill, tmp_path: Path) -> None:
    content = print_json(spdx.document(made))
    (tmp_path / "x.spdx.json").write_bytes(content)
    read = parse_from_file(str(tmp_path / "x.spdx.json"))
    assert validate_full_spdx_document(read) == []
    tool = _package(json.loads(content), "tool")
    assert tool["versionInfo"] == "2-1"
    assert tool["sourceInfo"] == "built from tool 2-1"
    assert tool["externalRefs"][0]["referenceLocator"].startswith("pkg:deb/debian/tool@2-1?")
    assert tool["licenseComments"] == "its copyright file names Expat, own words"
    assert tool["supplier"] == "Organization: Debian"
    assert len(read.packages) == len(made.components) + 1
    needs = sum(map(len, made.needs.values()))
    assert len(read.relationships) == needs + 1, "and what the document describes"


def _package(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in document["packages"] if each["name"] == name)
    return dict(found)


def test_the_identity_of_a_bill_is_made_of_its_content(made: Bill) -> None:
    found = uuid_of(made)
    assert found == uuid_of(made)
    assert (found.variant, f"{found}"[14]) == ("specified in RFC 4122", "8")
    assert iso_date(made) == "2026-01-01T00:00:00Z"
