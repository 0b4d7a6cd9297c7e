// Whether a tiny picture is dark on light, step by step as in images/polarity.py; reasons stand there.

const POLARITY = { side: 10, steps: 127, .../*polarity.json*/ };

// Whether the ink is what reflects less light.
function isDarkInLight(light) {
  const { side, steps, bias } = POLARITY, seen = seenOf(light);
  const [incoming, outgoing] = [POLARITY.incoming, POLARITY.outgoing].map(
    (text) => Int8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  let answer = 0;
  for (let unit = 0; unit < bias.length; unit++) {
    let total = 0;
    for (let i = 0; i < side * side; i++) total += seen[i] * incoming[i * bias.length + unit];
    answer += outgoing[unit] * (Math.max(bias[unit] + total, 0) - Math.max(bias[unit] - total, 0));
  }
  return answer >= 0;
}

function seenOf(light) {
  const low = -largest(light.values.map((value) => -value)), range = Math.max(1, largest(light.values) - low);
  const share = sized(like(light, (value) => (value - low) / range), POLARITY.side, POLARITY.side, true);
  return share.values.map((value) => Math.floor(POLARITY.steps * (2 * value - 1) + 0.5 + TINY));
}
