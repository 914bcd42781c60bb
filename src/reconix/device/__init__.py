"""The agent: the program on the device that receives, tries, confirms and falls back.

Its rooms, of which each imports only those above it (``tests/test_architecture.py``):

    paths.py        every file that the agent knows
    hardware/       what the machine says, and how it is restarted
    state/          what is remembered: for good, or for this boot
    settings/       what a toplevel says about its device
    device.py       all of that as one value
    next_boot.py    what boots next, and why
    trust_store.py  whose updates are taken
    trial/          armed, and what a generation must show before it is kept
    update/         the way of a generation: received, applied, confirmed, or left
    select/         which system runs: found out, chosen, scheduled, watched
    identity.py, factory_reset.py, status/
    commands/       what a command does
    __main__.py     parsing and printing
"""
