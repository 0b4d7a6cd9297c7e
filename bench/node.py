"""The exports for browsers, in node."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import OURS, Case, Result, World, process, ratio, require
from digitnn_fast import Network
from digitnn_fast.export import export
from digitnn_fast.predictor import model_path

IMAGES, TURNS = 1_000, 31
SCRIPT = """
import { readFileSync } from "node:fs";
import * as wasm from "./digits-wasm.mjs";
import * as javascript from "./digits-int8.mjs";
const images = new Uint8Array(readFileSync(new URL("images", import.meta.url)));
const same = wasm.logits(images).join() === javascript.logits(images).join(), seconds = { wasm: [], javascript: [] };
for (let turn = -2; turn < TURNS; turn++)
  for (const [name, module] of Object.entries({ wasm, javascript })) {
    const start = process.cpuUsage();
    module.predict(images);
    const { user, system } = process.cpuUsage(start);
    if (turn >= 0) seconds[name].push((user + system) / 1e6);
  }
console.log(JSON.stringify({ same, seconds }));
"""


def webassembly(world: World) -> Result:
    """Digits of pixels by `small` in int8, as WebAssembly and in JavaScript; seconds of CPU."""
    network = Network.load(model_path("small"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        for target in ("wasm", "web"):
            export(network, target, folder / target)
        (folder / "wasm" / "digits-int8.mjs").write_text((folder / "web" / "digits-int8.mjs").read_text())
        script = folder / "wasm" / "race.mjs"
        script.write_text(SCRIPT.replace("TURNS", str(TURNS)))
        world.images[:IMAGES].tofile(script.with_name("images"))
        found = json.loads(process(["node", str(script)]).output)
    require(found["same"], "WebAssembly and JavaScript give other integers")
    return ratio({OURS: found["seconds"]["wasm"], "digits-int8.mjs": found["seconds"]["javascript"]})


CASES = (Case("`small` in node, from pixels: WebAssembly against our JavaScript module", "5×", "8×", webassembly),)
