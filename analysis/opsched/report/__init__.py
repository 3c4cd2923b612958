"""A results folder as one page of HTML (`opsched report`): docs/report.md."""
