"""Tumen: the contracts and the engine.  Stages, producers and sinks live beside it and are named in `pipeline.toml`."""

import os

# Before numpy is imported.  The matrices here are small: a second thread gains nothing on them, and waits for the next one in a busy loop,
# which doubled the processor time of a web page and held up whoever else needed that core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
