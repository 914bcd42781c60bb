"""Bills of materials as SPDX 2.3.

What nobody has looked at is ``NOASSERTION``: where a file can be downloaded, because addresses are
no part of a lock, and the licence of a package as a whole. What its copyright file names stands in
a comment.

Source: SPDX 2.3 (ISO/IEC 5962), JSON, sections 6, 7 and 11.
Tested by ``tests/unit/composition/test_bill_formats.py`` with the validator of spdx-tools.
"""

import re

from reconix.base.digests import Digest
from reconix.base.documents import JsonInput
from reconix.composition.bill import Bill, Component, Kind
from reconix.composition.bill_text import iso_date, uuid_of

_NOBODY_SAID = "NOASSERTION"
_DOCUMENT = "SPDXRef-DOCUMENT"
_PURPOSES = {
    Kind.FIRMWARE: "FIRMWARE",
    Kind.OPERATING_SYSTEM: "OPERATING-SYSTEM",
    Kind.PACKAGE: "LIBRARY",
    Kind.APPLICATION: "APPLICATION",
}


def document(bill: Bill) -> JsonInput:
    """The bill as a document."""
    everything = (bill.subject, *bill.components)
    ids = {each.key: _id(each) for each in everything}
    described = _relation(_DOCUMENT, "DESCRIBES", ids[bill.subject.key])
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": bill.subject.name,
        "documentNamespace": f"urn:uuid:{uuid_of(bill)}",
        "creationInfo": {"created": iso_date(bill), "creators": ["Tool: reconix"]},
        "packages": [_package(each) for each in everything],
        "relationships": [
            described,
            *(
                _relation(ids[key], "DEPENDS_ON", ids[other])
                for key in ids
                for other in bill.needs.get(key, ())
            ),
        ],
    }


def _relation(one: str, kind: str, other: str) -> JsonInput:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _id(component: Component) -> str:
    """The name of a part within the document: letters, digits, dots and dashes."""
    name = re.sub(r"[^A-Za-z0-9.-]", "-", component.name)[:80]
    return f"SPDXRef-{name}-{Digest.of(component.key.encode()).hex()[:12]}"


def _package(component: Component) -> JsonInput:
    source, sha256 = component.source, component.sha256
    found: dict[str, JsonInput] = {
        "SPDXID": _id(component),
        "name": component.name,
        "versionInfo": component.version,
        "downloadLocation": _NOBODY_SAID,
        "licenseConcluded": _NOBODY_SAID,
        "licenseDeclared": _NOBODY_SAID,
        "copyrightText": _NOBODY_SAID,
        "primaryPackagePurpose": _PURPOSES[component.kind],
        "supplier": f"Organization: {component.supplier}" if component.supplier else _NOBODY_SAID,
        "checksums": [{"algorithm": "SHA256", "checksumValue": sha256.hex()}] if sha256 else None,
        "sourceInfo": f"built from {source.name} {source.version}" if source else None,
        "licenseComments": f"its copyright file names {', '.join(component.licences)}"
        if component.licences
        else None,
        "comment": ", ".join(f"{name} {value}" for name, value in component.facts),
        "externalRefs": [_purl(component.purl)] if component.purl else None,
    }
    return {"filesAnalyzed": False, **{key: value for key, value in found.items() if value}}


def _purl(purl: str) -> JsonInput:
    return {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": purl,
    }
