"""Crash tests, in the manner of CrashMonkey: record, build the crash states, check each."""
