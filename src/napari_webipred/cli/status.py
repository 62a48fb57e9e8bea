"""The exit statuses of the program."""

from __future__ import annotations

DONE, SOME_FAILED, UNUSABLE, CANCELLED = 0, 1, 2, 130
NOT_READ = 141  # what a shell says of a program whose output nobody reads any more
