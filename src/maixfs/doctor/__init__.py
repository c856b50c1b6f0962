"""The complaints of people with boards, as far as an image of the flash shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maixfs.lazy import lazy_names

if TYPE_CHECKING:
    from maixfs.doctor.examine import examine
    from maixfs.doctor.patient import Patient, make_patient
    from maixfs.doctor.records import Diagnosis

__all__ = ["Diagnosis", "Patient", "examine", "make_patient"]

__getattr__ = lazy_names(
    __name__,
    {
        "examine": ("examine",),
        "patient": ("Patient", "make_patient"),
        "records": ("Diagnosis",),
    },
)
