"""All that the doctor has to say, worst first."""

from __future__ import annotations

from maixfs.doctor.area import area
from maixfs.doctor.chip import chip
from maixfs.doctor.models import models
from maixfs.doctor.patient import Patient
from maixfs.doctor.programs import Newer, programs
from maixfs.doctor.records import Diagnosis


def examine(patient: Patient, newer: Newer = lambda _: []) -> list[Diagnosis]:
    """Return what was found, problems first; ``newer`` knows what MicroPython does not.

    Nothing is written, and whatever is damaged raises nothing.
    """
    found = [
        *chip(patient),
        *area(patient),
        *programs(patient, newer),
        *models(patient),
    ]
    return sorted(found, key=lambda one: not one.is_problem)
