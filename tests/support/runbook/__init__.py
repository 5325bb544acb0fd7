"""The runbook as it stands in the document, and the broken states that it is for."""
