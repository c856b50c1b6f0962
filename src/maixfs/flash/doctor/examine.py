"""All that the doctor has to say, worst first."""

from __future__ import annotations

from maixfs.flash.doctor.area import area
from maixfs.flash.doctor.chip import chip
from maixfs.flash.doctor.models import models
from maixfs.flash.doctor.patient import Patient
from maixfs.flash.doctor.programs import Newer, programs
from maixfs.flash.doctor.records import Diagnosis


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
