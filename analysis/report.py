#!/usr/bin/env python3
"""Writes the page of `opsched report` without installing the package; see opsched/report/page.py."""

from opsched.page import run
from opsched.report.page import main

run(main)
