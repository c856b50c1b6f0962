"""Verbs on whole flash images, on what lies in them, and what these verbs share."""
