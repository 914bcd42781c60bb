"""Bills of materials as CycloneDX 1.6.

No clock and no chance: the serial number is made from the content, so the same bill has the same
bytes. What the format has no word for is a property, ``reconix:…``.

Source: CycloneDX 1.6 (ECMA-424), JSON; RFC 9562, section 5.8 (UUID version 8).
Tested by ``tests/unit/composition/test_bill_formats.py``, with the validator of
cyclonedx-python-lib.
"""

from reconix.base.documents import JsonInput
from reconix.composition.bill import Bill, Component, Kind
from reconix.composition.bill_text import iso_date, uuid_of
from reconix.composition.licences import spdx

_TYPES = {
    Kind.FIRMWARE: "firmware",
    Kind.OPERATING_SYSTEM: "operating-system",
    Kind.PACKAGE: "library",
    Kind.APPLICATION: "application",
}


def document(bill: Bill) -> JsonInput:
    """The bill as a document."""
    tool = {"type": "application", "name": "reconix"}
    keys = [bill.subject.key, *(each.key for each in bill.components)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid_of(bill)}",
        "version": 1,
        "metadata": {
            "timestamp": iso_date(bill),
            "tools": {"components": [tool]},
            "component": _component(bill.subject),
        },
        "components": [_component(each) for each in bill.components],
        "dependencies": [{"ref": key, "dependsOn": [*bill.needs.get(key, ())]} for key in keys],
    }


def _component(component: Component) -> JsonInput:
    found: dict[str, JsonInput] = {
        "type": _TYPES[component.kind],
        "bom-ref": component.key,
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
        "supplier": {"name": component.supplier} if component.supplier else None,
        "hashes": [{"alg": "SHA-256", "content": component.sha256.hex()}]
        if component.sha256
        else None,
        "licenses": [_licence(name) for name in component.licences],
        "properties": [{"name": name, "value": value} for name, value in _properties(component)],
    }
    return {key: value for key, value in found.items() if value}


def _licence(name: str) -> JsonInput:
    known = spdx(name)
    return {"license": {"id": known} if known else {"name": name}}


def _properties(component: Component) -> list[tuple[str, str]]:
    source = component.source
    built_from = {"source": source.name, "source_version": source.version} if source else {}
    facts = {**dict(component.facts), **built_from}
    return [(f"reconix:{name}", value) for name, value in sorted(facts.items())]
