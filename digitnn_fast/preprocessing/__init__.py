"""Preprocessings: their table, and the functions that prepare images by them.

To add a preprocessing, add its kernel to `KERNELS`, its step to `steps` and its row to `table`.
"""

from digitnn_fast.preprocessing.running import AT_ONCE, PreparedCall, picture_of, prepare, view_distorted
from digitnn_fast.preprocessing.steps import NO_IMAGES, Step
from digitnn_fast.preprocessing.table import PREPROCESSINGS, Preprocessing, UnitPicture, predicting

__all__ = [
    "AT_ONCE",
    "NO_IMAGES",
    "PREPROCESSINGS",
    "PreparedCall",
    "Preprocessing",
    "Step",
    "UnitPicture",
    "picture_of",
    "predicting",
    "prepare",
    "view_distorted",
]
