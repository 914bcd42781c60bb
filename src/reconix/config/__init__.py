"""Settings: from text files to a checked configuration, and the lock of everything it needs.

A project is read by ``load``, in the order of these lines:

    toml/                      text to raw values with places; its grammar, its format
    imports, file_kinds        a file with its imports; what is allowed in which file
    schema/, options, shapes   which options there are, and how they are declared
    check, merge, construct    raw values to values, to one value, to dataclasses
    modules/, services/        few options to many settings: fragments
    rules/, origins            assertions and warnings, and where an option was set
    problems                   all errors at once, as values

Beside it:

    lock                       every input of a build, pinned by hash
    show, compare, reference   the result, a difference, and the manual, printed
"""
