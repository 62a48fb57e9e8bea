"""The limits of downloads and of what is kept, each with its reason. docs/downloads.md lists them for users.

What may be in an archive is bounded in `member`, JSON by others in `outside_json`.
"""

from __future__ import annotations

# Bytes of a file that are read at a time: what a broken connection loses at most.
CHUNK = 64 * 2**10

# A server on the other side of the world answers within a second; a hospital's proxy that scans a file, within ten.
CONNECT_SECONDS = 10.0
SILENT_SECONDS = 20.0

# For the head of an answer and for each CHUNK of it. One byte every few seconds is no silence, but no download either;
# CHUNK bytes a minute are a sixth of what a telephone modem brings.
SLOW_SECONDS = 60.0

# Zenodo needs one redirect (from all versions to the latest), Hugging Face two.
REDIRECTS = 5

# Tries without progress, 0.5, 1, 2 and 4 seconds apart, and the longest wait that a server may ask for.
TRIES = 5
LONGEST_WAIT = 120.0

# A bundle is an archive, and one of more than 2000 files or 4 GiB is not opened.
BUNDLE_MODELS = 200
BUNDLE_FILES = 1900
BUNDLE_BYTES = 4 * 2**30 - 2**26

# How often a model is opened again because another program has removed or replaced it in the meantime. Nobody removes
# models that often; it ends what would never end.
OPENINGS = 20
