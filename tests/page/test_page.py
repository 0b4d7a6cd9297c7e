"""The page to draw on, in a real headless Chromium (Debian's packages chromium and chromium-driver)."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from PIL import Image

from bench.made_strokes import WAYS
from digitnn_fast import Network, Predictor
from digitnn_fast.commands import app
from digitnn_fast.commands.reading import percent
from digitnn_fast.images.fit import fit
from digitnn_fast.page import _filled, _script, page
from digitnn_fast.preprocessing import PREPROCESSINGS, picture_of, prepare
from digitnn_fast.reference.deskewing import deskew
from digitnn_fast.sample import load_sample

SAMPLE = load_sample()
PREDICTOR = Predictor.load(threads=1)

PREDICT = """
return JSON.parse(arguments[0]).map((pixels) => forward(MODEL, prepared(MODEL, pixels)));
"""
PREPARE = """
return JSON.parse(arguments[0]).map((pixels) => Array.from(prepared({preprocessing: arguments[1]}, pixels)));
"""
SEEN = """
return {
  paper: drawn && drawn.toDataURL().split(",")[1],
  seen: Array.from(seen.getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 === 0)),
  shares: rows.map((row) => row.cells[2].textContent),
  answer: document.getElementById("answer").textContent,
  hint: document.getElementById("hint").textContent,
};
"""
# Digits as people write them, in shares of the paper's side.
STROKES = {
    0: [[(0.5, 0.15), (0.3, 0.3), (0.28, 0.6), (0.4, 0.83), (0.6, 0.83), (0.72, 0.6), (0.68, 0.3), (0.5, 0.15)]],
    1: [[(0.5, 0.15), (0.5, 0.85)]],
    2: [[(0.3, 0.3), (0.4, 0.17), (0.6, 0.17), (0.68, 0.33), (0.5, 0.6), (0.28, 0.82), (0.72, 0.82)]],
    3: [[(0.3, 0.2), (0.6, 0.18), (0.66, 0.32), (0.45, 0.47), (0.68, 0.62), (0.62, 0.8), (0.3, 0.82)]],
    4: [[(0.35, 0.15), (0.28, 0.52), (0.72, 0.52)], [(0.62, 0.2), (0.6, 0.88)]],
    7: [[(0.28, 0.2), (0.7, 0.2), (0.52, 0.5), (0.45, 0.85)]],
}


def page_script(preprocessing):
    """What a page for that preprocessing knows of the network; a page has the functions of its own one alone."""
    return _filled("network.js", {"preprocessing": _script(preprocessing)})


def clear(browser):
    from selenium.webdriver.common.by import By

    browser.find_element(By.ID, "clear").click()


def draw(browser, strokes, kind="mouse"):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.pointer_input import PointerInput
    from selenium.webdriver.common.by import By

    paper = browser.find_element(By.ID, "paper")
    size = paper.rect["width"]
    for stroke in strokes:
        chain = ActionChains(browser, duration=10, devices=[PointerInput(kind, kind)])
        pointer = chain.w3c_actions.pointer_action
        for index, (x, y) in enumerate(stroke):
            pointer.move_to(paper, round((x - 0.5) * size), round((y - 0.5) * size))
            if index == 0:
                pointer.pointer_down()
        pointer.pointer_up()
        chain.w3c_actions.perform()
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    return browser.execute_script(SEEN)


def pixels_of(shown):
    """What `fit` makes of what the page drew anew: all of it is ink."""
    import io

    grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown["paper"]))).convert("L"))
    ink = 1 - grey / 255
    rows, columns = (np.flatnonzero((ink >= 0.5).any(axis=axis)) for axis in (1, 0))
    return fit(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]).reshape(-1)


def shares_of(shown):
    """The shares (10,) that the page shows; what is over 99.9% as 1."""
    return [1 if text == "over 99.9%" else float(text.rstrip("%")) / 100 for text in shown["shares"]]


@pytest.mark.parametrize("digit", STROKES)
def test_digits_drawn_on_the_page(browser, digit):
    """What the page saw and said of what is drawn is what Python says of a picture of it."""
    clear(browser)
    shown = draw(browser, STROKES[digit])
    pixels = pixels_of(shown)
    np.testing.assert_array_equal(shown["seen"], deskew(pixels[None])[0])
    probabilities = PREDICTOR.predict_proba(pixels)
    np.testing.assert_allclose(shares_of(shown), probabilities, atol=6e-4)  # shown to 0.1%
    assert PREDICTOR.predict(pixels) == digit
    assert f"{digit} (" in shown["answer"]
    assert not shown["hint"]


def test_no_answer_is_certain(browser):
    """And all are said as `digitnn-fast image` says them."""
    shares = [0.00001, 0.2344, 0.5, 0.9, 0.99949, 0.99951, 1]
    assert browser.execute_script("return arguments[0].map(percent)", shares) == [percent(share) for share in shares]
    assert browser.execute_script("return answerText([[0, 1], [1, 0]])") == "10 (over 99.9%)"
    assert browser.execute_script("return answerText([[0.3, 0.7]])") == "A guess: 1 (70%)"


DRAWN = """
return JSON.parse(arguments[0]).map((strokes) => {
  const canvas = drawnAnew(strokes);
  return canvas && forward(MODEL, prepared(MODEL, pixelsOf(canvas)));
});
"""


@pytest.mark.once
@pytest.mark.parametrize(
    ("way", "least"),
    [("normal", 0.98), ("over the edge", 0.97), ("along the edge", 0.98), ("narrow", 0.9), ("tiny", 0.9)],
)
def test_however_a_digit_is_drawn(browser, way, least):
    random, labels = np.random.default_rng(3), np.arange(200) % 10
    drawings = [[stroke.tolist() for stroke in WAYS[way](random, int(label))] for label in labels]
    answers = browser.execute_script(DRAWN, json.dumps(drawings))
    right = [shares and int(np.argmax(shares)) == label for shares, label in zip(answers, labels, strict=True)]
    assert np.mean([bool(one) for one in right]) >= least


def test_two_digits_get_a_hint(browser):
    clear(browser)
    left, right = ([[(x / 2 + shift, y) for x, y in stroke] for stroke in STROKES[7]] for shift in (0, 0.5))
    assert draw(browser, [*left, *right])["hint"] == "One digit only, please: there seem to be 2."
    clear(browser)
    assert not draw(browser, STROKES[4])["hint"]


@pytest.mark.parametrize("kind", ["touch", "pen"])
def test_finger_and_pen(browser, kind):
    clear(browser)
    assert "7 (" in draw(browser, STROKES[7], kind)["answer"]


def test_undo_and_clear(browser):
    from selenium.webdriver.common.by import By

    clear(browser)
    first = draw(browser, STROKES[4][:1])
    both = draw(browser, STROKES[4][1:])
    assert both["seen"] != first["seen"]
    browser.find_element(By.ID, "undo").click()
    assert draw(browser, [])["seen"] == first["seen"]
    clear(browser)
    assert draw(browser, [])["answer"] == "Nothing drawn yet"
    assert not any(draw(browser, [])["seen"])


def test_keys(browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    clear(browser)
    draw(browser, STROKES[4])
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.CONTROL, "z")
    assert draw(browser, [])["answer"] != "Nothing drawn yet"
    body.send_keys(Keys.DELETE)
    assert draw(browser, [])["answer"] == "Nothing drawn yet"


def test_the_samples_pixels(browser):
    images = SAMPLE.test_images[:300]
    theirs = np.array(browser.execute_script(PREDICT, json.dumps(images.tolist())))
    ours = PREDICTOR.predict_proba(images)
    np.testing.assert_allclose(theirs, ours, atol=1e-4)
    np.testing.assert_array_equal(theirs.argmax(axis=1), ours.argmax(axis=1))


def test_a_dot_is_no_digit(browser):
    clear(browser)
    assert draw(browser, [[(0.5, 0.5), (0.5, 0.5)]])["answer"] == "Draw larger"


def test_the_page_loads_nothing(tmp_path, capsys):
    text = page(PREDICTOR.network)
    assert "http://" not in text
    assert "https://" not in text
    assert "src=" not in text
    assert "default-src 'none'" in text
    assert app.run(["draw", "--no-open", "--out", str(tmp_path / "p.html")]) == 0
    assert capsys.readouterr().out.startswith("page  ")
    assert (tmp_path / "p.html").read_text(encoding="utf-8") == text
    assert app.run(["draw", "--no-open", "--out", str(tmp_path)]) == 2


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_preprocessing_makes_the_same_bytes(browser, preprocessing):
    random = np.random.default_rng(0)
    wild = random.integers(0, 256, (60, 784)).astype(np.uint8) * (random.random((60, 784)) < random.random((60, 1)))
    corners = np.zeros((4, 784), np.uint8)
    corners[range(4), [0, 27, 756, 783]] = 255
    images = np.concatenate([SAMPLE.test_images[:200], wild, corners, np.zeros((1, 784), np.uint8)]).astype(np.uint8)
    script = page_script(preprocessing)
    theirs = browser.execute_script(script + PREPARE, json.dumps(images.tolist()), preprocessing)
    np.testing.assert_array_equal(theirs, prepare(images, preprocessing))


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
def test_a_page_with_another_network(browser, tmp_path, preprocessing):
    """It shows the picture that the network looks at, and says what Python says."""
    usual, network = browser.current_url, Network(*PREDICTOR.network.parameters, preprocessing)
    network.save(tmp_path / "model.npz")
    out = tmp_path / "draw.html"
    assert app.run(["draw", "--no-open", "--model", str(tmp_path / "model.npz"), "--out", str(out)]) == 0
    try:
        browser.get(out.as_uri())
        shown = draw(browser, STROKES[2])
    finally:
        browser.get(usual)
    pixels = pixels_of(shown)
    np.testing.assert_array_equal(shown["seen"], picture_of(pixels[None], preprocessing)[0])
    np.testing.assert_allclose(shares_of(shown), Predictor(network, threads=1).predict_proba(pixels), atol=6e-4)


def test_a_network_of_pixels_as_they_are(browser):
    assert '"preprocessing": "raw"' in page(Network(*PREDICTOR.network.parameters))
    script = page_script("raw")
    assert browser.execute_script(script + 'return prepared({preprocessing: "raw"}, [1, 2, 3])') == [1, 2, 3]
