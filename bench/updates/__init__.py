"""What an update costs, ours beside what a team could pick instead, on the same trees.

    pairs.py     two trees each, made from the real Debian archives and by the real Nix
    peers.py     one class for each way to send the difference; ours is in ours.py
    step.py      one step of one peer, in a process of its own, that measure.py watches
    table.py     the figures as CSV and Markdown; plot.py as a picture
    __main__.py  runs it all:  make bench-updates

Every peer prepares what builder and device have anyway (not measured), creates an update, and
applies it; what comes out is compared with the target, byte by byte, and a difference ends the run.
"""
