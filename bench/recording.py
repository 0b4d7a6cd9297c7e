"""`python -m bench.recording`: a terminal in which the README's commands run, as an animated SVG.

Runs the commands in a terminal of its own, keeps what is on its screen at each moment (pyte emulates it), and draws
bench/recording.svg: each text of each line with the time in which it was there. Pauses are shortened, the rest is as
it was. Needs Linux or macOS, and `pip install pyte`.
"""

from __future__ import annotations

import os
import pty
import select
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from html import escape
from itertools import count
from pathlib import Path

import pyte

from bench.measure import HERE
from digitnn_fast.sample import load_sample

COMMANDS = (
    "digitnn-fast submit",
    "digitnn-fast image three.jpg",
    "digitnn-fast export small --to c --out digits",
)
COLUMNS, LINES = 120, 28
TYPING, READING, END = 0.04, 1.2, 6.0  # seconds for a letter, behind a command's output, and before it starts again
LONGEST = 0.4  # seconds at most between two screens: nobody wants to watch a file being read
WIDTH, HEIGHT, MARGIN = 7.23, 16, 14  # of a letter, of a line, around the screen
PROMPT = "$ "
Frame = tuple[float, list[str]]  # the time since the start, and the lines on the screen


def main() -> None:
    """Run, and draw."""
    with tempfile.TemporaryDirectory() as folder:
        write_picture(Path(folder, "three.jpg"))
        frames = list(record(folder))
    path = HERE / "recording.svg"
    path.write_text(svg(frames), encoding="utf-8")
    print(f"{path}: {path.stat().st_size:,} bytes, {frames[-1][0]:.0f} s")


def write_picture(path: Path) -> None:
    """A built-in three, dark on light as on paper."""
    from PIL import Image

    sample = load_sample()
    three = sample.test_images[sample.test_labels == 3][0].reshape(28, 28)
    Image.fromarray(255 - three).resize((280, 280), Image.Resampling.BICUBIC).save(path)


def record(folder: str) -> Iterator[Frame]:
    """What is on the screen, whenever that changes."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    now = 0.0
    for command in COMMANDS:
        for letter in PROMPT + command:
            stream.feed(letter.encode())
            now += TYPING
            yield now, list(screen.display)
        stream.feed(b"\r\n")
        for passed, output in run(command, folder):
            stream.feed(output)
            now += min(passed, LONGEST)
            yield now, list(screen.display)
        now += READING
    stream.feed(PROMPT.encode())
    yield now, list(screen.display)
    yield now + END, list(screen.display)


def run(command: str, folder: str) -> Iterator[tuple[float, bytes]]:
    """The command's output in a terminal, each piece with the seconds that it took."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
    program = [sys.executable, "-m", "digitnn_fast", *shlex.split(command)[1:]]
    process = subprocess.Popen(program, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    before = time.perf_counter()
    while True:
        select.select([ours], [], [])
        try:
            output = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not output:
            break
        after = time.perf_counter()
        yield after - before, output
        before = after
    os.close(ours)
    if process.wait():
        raise SystemExit(f"{command} has failed")


def spans(frames: list[Frame]) -> Iterator[tuple[int, str, float, float]]:
    """Line, text, and from when to when it was there; of the last frame until the end."""
    for line in range(LINES):
        text, since = "", 0.0
        for now, lines in frames:
            new = lines[line].rstrip()
            if new != text:
                if text:
                    yield line, text, since, now
                text, since = new, now
        if text:
            yield line, text, since, frames[-1][0]


def svg(frames: list[Frame]) -> str:
    """The animation: the screen scrolls as the terminal did, and who asks for less motion sees its end."""
    total, numbers = frames[-1][0], count()
    texts, moments = [], []
    for line, text, since, until in spans(frames):
        name, last = f"t{next(numbers)}", until == total
        begin, end = 100 * since / total, 100 * until / total
        gone = "" if last else f"{end:.2f}%{{opacity:0}}"
        moments.append(f"@keyframes {name}{{0%{{opacity:0}}{begin:.2f}%{{opacity:1}}{gone}}}")
        y = MARGIN + HEIGHT * (line + 1) - 5
        kind = "p" if text.startswith(PROMPT) else "o"
        texts.append(
            f'<text class="{kind}{" l" if last else ""}" y="{y}" style="animation-name:{name}">{escape(text)}</text>'
        )
    width, height = 2 * MARGIN + WIDTH * COLUMNS, 2 * MARGIN + HEIGHT * LINES
    style = f"""
text{{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre;fill:#e6edf3;
opacity:0;animation:{total:.2f}s step-end infinite}}
.p{{fill:#7ee787}}
@media (prefers-reduced-motion:reduce){{text{{animation:none}}.l{{opacity:1}}}}
{"".join(moments)}"""
    body = "\n".join(texts)
    size = f'viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size}>
<style>{style}</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<g transform="translate({MARGIN})" xml:space="preserve">
{body}
</g>
</svg>
"""


if __name__ == "__main__":
    main()
