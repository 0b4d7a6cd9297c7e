"""Machine code that is put into memory without llvmlite does what it does when LLVM links it."""

import ctypes
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
from processes import run

from digitnn_fast.kernels import KERNELS
from digitnn_fast.kernels.arguments import Deskewing, DeskewScratch
from digitnn_fast.kernels.machine.arguments import allocate
from digitnn_fast.kernels.machine.jit import ABILITIES, DISABLE_JIT
from digitnn_fast.kernels.machine.kernel import Kernel
from digitnn_fast.kernels.machine.linking import Engine
from digitnn_fast.kernels.machine.mapping import NotSimpleError, mapped
from digitnn_fast.reference.deskewing import deskew
from digitnn_fast.sample import load_sample

TRIPLE = "x86_64-unknown-linux-gnu"
pytestmark = [
    pytest.mark.skipif(DISABLE_JIT, reason="there is no machine code"),
    pytest.mark.skipif(llvm.get_process_triple() != TRIPLE, reason="here LLVM links all machine code"),
]

TABLE = """
@table = internal constant [4 x i64] [i64 2, i64 3, i64 5, i64 7]
declare i8* @memset(i8*, i32, i64)
define internal i64 @entry(i64 %at) {
  %place = getelementptr [4 x i64], [4 x i64]* @table, i64 0, i64 %at
  %value = load i64, i64* %place
  ret i64 %value
}
define i64 @function(i64 %at) {
  %bytes = alloca [8 x i8]
  %first = getelementptr [8 x i8], [8 x i8]* %bytes, i64 0, i64 0
  %filled = call i8* @memset(i8* %first, i32 1, i64 8)
  %ones = bitcast i8* %filled to i64*
  %sum = load i64, i64* %ones
  %value = call i64 @entry(i64 %at)
  %both = add i64 %sum, %value
  ret i64 %both
}
"""
COUNTER = """
@counter = global i64 1
define i64 @function(i64 %at) {
  %value = load i64, i64* @counter
  ret i64 %value
}
"""
OTHER = """
declare i64 @labs(i64)
define i64 @function(i64 %at) {
  %value = call i64 @labs(i64 %at)
  ret i64 %value
}
"""


def compiled(text, triple=TRIPLE, **how):
    """The object file of this module; without optimisation, which would leave nothing of it."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    module = llvm.parse_assembly(f'target triple = "{triple}"\n{text}')
    settings = {"opt": 0, "reloc": "default", "codemodel": "jitdefault", "jit": True} | how
    return llvm.Target.from_triple(triple).create_target_machine(**settings).emit_object(module)


def test_refers_to_its_own_parts_and_to_the_c_library():
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(mapped(compiled(TABLE), "function"))
    assert [function(at) - 0x0101010101010101 for at in range(4)] == [2, 3, 5, 7]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(lambda: compiled(TABLE, codemodel="small"), id="distances instead of addresses"),
        pytest.param(lambda: compiled(COUNTER), id="what is written to"),
        pytest.param(lambda: compiled(COUNTER.replace("global i64 1", "common global i64 0")), id="what has no bytes"),
        pytest.param(lambda: compiled(OTHER), id="what kernels do not call"),
        pytest.param(lambda: compiled(TABLE, "aarch64-unknown-linux-gnu"), id="another architecture"),
        pytest.param(lambda: compiled(TABLE, "x86_64-pc-windows-msvc"), id="another format"),
    ],
)
def test_what_is_not_simple_is_left_to_llvm(code):
    with pytest.raises(NotSimpleError):
        mapped(code(), "function")


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_is_simple(name):
    kernel = KERNELS[name]
    kernel.load()
    assert mapped(kernel._find()[1], kernel._symbol())


def test_llvm_makes_the_same_of_it():
    images = load_sample().test_images[:200]
    code, symbol = KERNELS["deskewing.deskew_next"]._find()[1], KERNELS["deskewing.deskew_next"]._symbol()
    made = []
    for address in (mapped(code, symbol), Engine.get().link(code, symbol)):
        kernel = Kernel("deskewing.deskew_next", DeskewScratch, Deskewing, returns=True)
        kernel.entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(address)
        made.append(np.zeros_like(images))
        assert kernel(*allocate(DeskewScratch), np.zeros(1, np.int64), images, made[-1]) == 0
    np.testing.assert_array_equal(*made)
    np.testing.assert_array_equal(made[0], deskew(images))


@pytest.mark.skipif(not Path(ABILITIES).exists(), reason="only LLVM knows what this processor can do")
def test_a_process_that_finds_machine_code_does_without_llvm(tmp_path):
    code = """
import sys
import numpy as np
from digitnn_fast.kernels import KERNELS
out = np.zeros(2, np.float32)
KERNELS["inference.relu"](np.float32([-1, 0.5]), out)
assert out.tolist() == [0, 0.5]
print(int("llvmlite.binding" in sys.modules))
"""
    run(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path)) == 0
