#!/usr/bin/env python3
"""The figures of a results folder, without installing the package: opsched/figures.py says how."""

from opsched.figures import main
from opsched.page import run

run(main)
