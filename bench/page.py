"""The page to draw on, in Chromium."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench import chromium
from bench.made_strokes import WAYS
from bench.measure import Case, Result, Spread, World, amount, require
from digitnn_fast import Predictor
from digitnn_fast.page import write_page

TURNS = 31  # of a drawing of each digit
SAID = """
return JSON.parse(arguments[0]).map((drawing) => {
  strokes = drawing;
  show();
  const pixels = pixelsOf(drawn), shares = forward(MODEL, prepared(MODEL, pixels));
  return { pixels: Array.from(pixels), shares, answer: byId("answer").textContent };
});
"""
# One answer a frame, as while somebody draws; the first two turns are not counted.
TIMED = """
const drawings = JSON.parse(arguments[0]), [, turns, done] = arguments, seconds = [];
let count = -2 * drawings.length;
requestAnimationFrame(function next() {
  const start = performance.now();
  strokes = drawings.at(count % drawings.length);
  show();
  if (count >= 0) seconds.push((performance.now() - start) / 1000);
  if (++count < turns * drawings.length) requestAnimationFrame(next);
  else done(seconds);
});
"""


def answer(_: World) -> Result:
    """Seconds from strokes to what the page shows of them: the drawing, the digit, its probabilities."""
    require(chromium.is_here(), "install chromium and chromium-driver")
    random, predictor = np.random.default_rng(0), Predictor.load("small", threads=1)
    drawings = [[stroke.tolist() for stroke in WAYS["normal"](random, digit)] for digit in range(10)]
    with TemporaryDirectory() as name:
        page = Path(name, "draw.html")
        write_page(page, predictor.network)
        with chromium.opened(page, Path(name, "profile")) as browser:
            for said in browser.execute_script(SAID, json.dumps(drawings)):
                wanted = predictor.predict_proba(np.array(said["pixels"], np.uint8))
                require(np.abs(wanted - said["shares"]).max() < 1e-4, "the page gives other probabilities than Python")
                digit = said["answer"].removeprefix("A guess: ")[:3]
                require(digit == f"{wanted.argmax()} (", "the page shows another digit than Python")
            spread = Spread.of(browser.execute_async_script(TIMED, json.dumps(drawings), TURNS))
    return Result(amount(spread.median), str(spread))


CASES = (Case("`small` on the page in Chromium: one drawing to its answer", "≤ 8 ms", "≤ 3 ms", answer),)
