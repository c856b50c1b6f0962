"""The error numbers of MaixPy's ``kpu`` module, and its words for them."""

from __future__ import annotations

from enum import IntEnum

MOST_MODELS = 5
"""So many can be loaded at a time."""


class KpuCode(IntEnum):
    """As the firmware numbers them."""

    NONE = 0
    PARAM = 2001
    KMODEL_VERSION = 2002
    KMODEL_FORMAT = 2003
    DECRYPT = 2004
    READ_FILE = 2005
    NO_MEM = 2006
    GET_CONV_LAYER = 2007
    RUN_MODEL = 2008
    MODELS_FULL = 2009
    PERMITION = 2010
    IDX_OUTRANGE = 2011
    SIZE_NOTMATCH = 2012
    OUTPUTS_NODONE = 2013
    NOT_IMPLEMENT = 2014
    UNKNOWN = 2015


_WORDS = {
    KpuCode.NONE: "ERR_NONE",
    KpuCode.PARAM: "ERR_PARAM: please check param, load address or kmodel file name",
    KpuCode.KMODEL_VERSION: "ERR_KMODEL_VERSION: only support kmodel V3",
    KpuCode.KMODEL_FORMAT: "ERR_KMODEL_FORMAT: layer_header.body_size <=0",
    KpuCode.DECRYPT: "ERR_DECRYPT: check smodel match with your board",
    KpuCode.READ_FILE: "ERR_READ_FILE: read file failed",
    KpuCode.NO_MEM: "ERR_NO_MEM: memory not enough",
    KpuCode.GET_CONV_LAYER: "ERR_GET_CONV_LAYER: first layer should be conv layer",
    KpuCode.RUN_MODEL: "ERR_RUN_MODEL: maybe model dirty",
    KpuCode.MODELS_FULL: "ERR_MODELS_FULL: we only support load 5 models in the same time",
    KpuCode.PERMITION: "ERR_PERMITION",
    KpuCode.IDX_OUTRANGE: "SIPEED_KPU_ERR_IDX_OUTRANGE",
    KpuCode.SIZE_NOTMATCH: "SIPEED_KPU_ERR_SIZE_NOTMATCH",
    KpuCode.OUTPUTS_NODONE: "ERR_OUTPUTS_SET: need kpu.set_outputs() to set shape",
    KpuCode.NOT_IMPLEMENT: "ERR_NOT_IMPLEMENT",
    KpuCode.UNKNOWN: "ERR_UNKNOWN",
}


def kpu_words(code: int, *, v4_support: bool) -> str:
    """Return what the firmware says to a number; for one that it does not know, ERR_UNKNOWN."""
    known = KpuCode(code) if code in KpuCode._value2member_map_ else KpuCode.UNKNOWN
    more = "/V4 now" if known is KpuCode.KMODEL_VERSION and v4_support else ""
    return _WORDS[known] + more
