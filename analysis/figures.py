#!/usr/bin/env python3
"""Draws the figures of a results folder without installing the package; usage: opsched/figures.py."""

from opsched.figures import main
from opsched.page import run

run(main)
