#!/usr/bin/env python3
"""README.md of results folders, without installing the package: opsched/tables.py says how."""

from opsched.tables import main
from opsched.page import run

run(main)
