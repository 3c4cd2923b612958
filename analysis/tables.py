#!/usr/bin/env python3
"""Writes README.md of results folders without installing the package; usage: opsched/tables.py."""

from opsched.tables import main
from opsched.page import run

run(main)
