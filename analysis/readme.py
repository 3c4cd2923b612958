#!/usr/bin/env python3
"""Writes the table and the picture of README.md without installing the package; usage: opsched/readme.py."""

from opsched.page import run
from opsched.readme import main

run(main)
