"""The C as a shared library, as the export's README says."""

import re
import shlex

import numpy as np
from c_export import integers
from exports import DIGITS
from programs import needs

from digitnn_fast.export.c import tools
from digitnn_fast.export.c.source import sources
from digitnn_fast.home import HOME

README = (HOME / "export" / "README.md").read_text(encoding="utf-8")


def test_the_readmes_library_and_its_lines_of_python(tmp_path, monkeypatch):
    needs("cc")
    network = integers(8)
    (tmp_path / "digits").mkdir()
    for name, text in sources(network).items():
        (tmp_path / "digits" / name).write_text(text)
    command = re.search("`(cc .* -shared .*)` makes it", README)
    assert command
    tools.run_tool(shlex.split(command[1]), folder=tmp_path)
    (block,) = re.findall("```python\n(import ctypes.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(block, names)
    answers = [names["recognise"](image.tobytes()) for image in DIGITS[:20]]
    wanted = network.logits(DIGITS[:20])
    assert [digit for digit, _ in answers] == wanted.argmax(axis=1).tolist()
    np.testing.assert_array_equal([logits for _, logits in answers], wanted)
