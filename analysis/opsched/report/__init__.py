"""A results folder as one HTML page (`opsched report`): docs/report.md."""
