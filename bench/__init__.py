"""What `make bench` runs.  `tumen` first: it says how numpy is to run, and what is compared with it must run alike."""

import tumen  # noqa: F401
