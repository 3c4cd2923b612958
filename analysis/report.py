#!/usr/bin/env python3
"""The page of `opsched report`, without installing the package: opsched/report/page.py says how."""

from opsched.page import run
from opsched.report.page import main

run(main)
