#!/usr/bin/env python3
"""The table of README.md and its picture, without installing the package: opsched/readme.py says how."""

from opsched.page import run
from opsched.readme import main

run(main)
