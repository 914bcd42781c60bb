"""What the agent of a device says about itself, as it is printed and as it is read here."""

from dataclasses import replace

from reconix.base.documents import print_json
from reconix.boot.tables import Slot
from reconix.boot.trial import Outcome, Reason, Result, Verdict, installed
from reconix.device.next_boot import NextBoot
from reconix.device.state.choice import Choice
from reconix.device.state.running import Running
from reconix.device.status.json import status_document
from reconix.device.status.read import Status
from reconix.fleet.remote import parse_status
from reconix.store.paths import StorePath

OLD = StorePath.parse("/nix/store/" + "1" * 32 + "-generation-gateway")
NEW = StorePath.parse("/nix/store/" + "2" * 32 + "-generation-gateway")
TOPLEVEL = StorePath.parse("/nix/store/" + "3" * 32 + "-system-default")
VERDICT = Verdict(Reason.UNHEALTHY, "nginx.service", "bad directive")
STATE = replace(installed(str(OLD), Slot(1)), last=Outcome(Result.FELL_BACK, str(NEW), VERDICT))
TOLD = Status(
    host="gateway",
    architecture="amd64",
    booted=Running("boot-1", TOPLEVEL, "default", Slot(1), OLD, 0),
    state=STATE,
    choice=Choice(),
    next_boot=NextBoot(str(OLD), "default", Slot(1)),
    installed=(str(OLD),),
    systems=("default",),
    busy=False,
    events=(),
)
DOCUMENT = status_document(TOLD)
"""What the agent itself prints."""

STATUS = parse_status(print_json(DOCUMENT), source="test")
