"""Inter-operator scheduling of CNN inference: records, schedules, timelines and figures of opsched."""
