"""Pictures on the page, in Chromium: number for number as in Python."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from picture_files import five_and_one, wide_digits
from PIL import Image

from bench.made_blanks import BLANKS, blanks
from bench.made_crops import CROPS
from bench.made_drawings import KINDS
from bench.made_numbers import NUMBERS, SHEETS
from bench.made_pictures import large_photo
from digitnn_fast import Predictor, preprocess
from digitnn_fast.images import BlankPictureError, PictureError, cut_out_number, read_colours, readings
from digitnn_fast.sample import load_sample

SAMPLE = load_sample()
PREDICTOR = Predictor.load(threads=1)

READ = """
const bytes = Uint8ClampedArray.from(atob(arguments[0]), (c) => c.charCodeAt(0));
try {
  const digit = oneDigit(onPaper(reduced({width: arguments[1], height: arguments[2], data: bytes})));
  if (!digit) return null;
  const readings = fitTwice(digit.ink, digit.fills);
  return {readings: readings.map((pixels) => Array.from(pixels)), probabilities: together(readings)};
} catch (error) {
  return error.message;
}
"""


def read_in(browser, picture):
    """What JavaScript makes of a picture's own colours and transparency."""
    data = base64.b64encode(np.asarray(picture.convert("RGBA")).tobytes()).decode()
    return browser.execute_script(READ, data, picture.width, picture.height)


def refused(picture):
    """What JavaScript says of a picture that Python refuses: nothing if it is blank, or how many digits it sees."""
    try:
        preprocess(picture)
    except BlankPictureError:
        return None
    except PictureError as error:
        return str(error).split("; ")[0]
    raise AssertionError("it is read")


@pytest.mark.parametrize("side", [28, 61, 97, 200, 311])
@pytest.mark.parametrize("dark", [True, False])
def test_pictures_of_the_sample(browser, side, dark):
    random = np.random.default_rng(side)
    for index in random.integers(0, 2000, 8):
        digit = SAMPLE.test_images[index].reshape(28, 28)
        picture = Image.fromarray(255 - digit if dark else digit).resize((side, side + 7), Image.Resampling.BICUBIC)
        levels = np.asarray(picture, int)[..., None] + random.integers(-8, 9, (side + 7, side, 3))
        picture = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
        theirs = read_in(browser, picture)
        np.testing.assert_array_equal(theirs["readings"], readings(picture))
        np.testing.assert_allclose(theirs["probabilities"], PREDICTOR.predict_proba(picture), atol=1e-4)


@pytest.mark.parametrize("name", [kind.__name__ for kind in KINDS])
def test_pictures_as_people_take_them(browser, name):
    kind = next(kind for kind in KINDS if kind.__name__ == name)
    random = np.random.default_rng(1)
    for digit in SAMPLE.test_images[:4]:
        picture = kind(random, digit)
        np.testing.assert_array_equal(read_in(browser, picture)["readings"], readings(picture))


@pytest.mark.parametrize("name", [name for name in CROPS if "2,000" not in name])
def test_digits_that_fill_their_picture(browser, name):
    for index, digit in enumerate(SAMPLE.test_images[:6]):
        picture = CROPS[name].picture(digit, dark=bool(index % 2))
        theirs = read_in(browser, picture)
        if theirs is None or isinstance(theirs, str):
            assert theirs == refused(picture)
        else:
            np.testing.assert_array_equal(theirs["readings"], readings(picture))


def test_pictures_of_a_few_pixels(browser):
    """Of any colours: what is read, and what is called blank."""
    random = np.random.default_rng(7)
    for index in range(40):
        height, width = random.integers(6, 24, 2)
        picture = CROPS["cropped"].picture(SAMPLE.test_images[index], bool(index % 2)).resize((width, height))
        colours = np.asarray(picture, int)[..., None] + random.integers(-60, 61, (height, width, 3))
        if index % 8 == 0:  # the edge of a shadow
            colours = np.tile(np.linspace(0, 255, width)[:, None], (height, 1, 3))
        picture = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
        theirs = read_in(browser, picture)
        if theirs is None or isinstance(theirs, str):
            assert theirs == refused(picture)
        else:
            np.testing.assert_array_equal(theirs["readings"], readings(picture))


@pytest.mark.parametrize("name", BLANKS)
def test_blank_is_blank_where_it_is_in_python(browser, name):
    for picture in blanks(BLANKS[name], 2, 1):
        theirs = read_in(browser, picture)
        if theirs is None or isinstance(theirs, str):
            assert theirs == refused(picture)
        else:
            np.testing.assert_array_equal(theirs["readings"], readings(picture))


@pytest.mark.parametrize("name", SHEETS)
def test_many_digits_and_texts_are_refused(browser, name):
    picture = SHEETS[name](np.random.default_rng(2), SAMPLE.test_images[:300])
    theirs = read_in(browser, picture)
    assert theirs == refused(picture)
    assert theirs.startswith("there seem to be ")


OPENED = """
const done = arguments[0];
(function look() { photo ? setTimeout(() => done(true)) : requestAnimationFrame(look); })();
"""
FOUND = """
show();
return {answer: byId("answer").textContent, width: photo.colours.width, colours: Array.from(photo.colours.data),
  boxes: photo.digits.map(({box}) => [box.top, box.bottom, box.left, box.right]), cut: !byId("cutFigure").hidden};
"""


def chosen(browser, path):
    browser.find_element("id", "file").send_keys(str(path))


def photographed(browser, path):
    """What a phone's camera hands over."""
    camera = browser.find_element("id", "camera")
    assert camera.get_attribute("capture") == "environment"
    camera.send_keys(str(path))


def dropped(browser, path):
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "x": 150, "y": 250, "data": data})


def pasted(browser, path):
    """From the clipboard of the system, by the keys for it."""
    permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.execute_cdp_cmd("Browser.grantPermissions", {"permissions": permissions})
    browser.execute_async_script(COPY, base64.b64encode(path.read_bytes()).decode())
    key = {"key": "v", "code": "KeyV", "windowsVirtualKeyCode": 86, "modifiers": 2, "commands": ["paste"]}
    for kind in ("keyDown", "keyUp"):
        browser.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": kind, **key})


COPY = """
const [data, done] = arguments, bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
navigator.clipboard.write([new ClipboardItem({"image/png": new Blob([bytes], {type: "image/png"})})]).then(done, done);
"""
DOORS = {"chosen": chosen, "photographed": photographed, "dropped": dropped, "pasted": pasted}


def opened(browser, path, door=chosen):
    """What the page says of a file, and its colours."""
    browser.execute_script("photo = null; show();")
    door(browser, path)
    browser.execute_async_script(OPENED)
    shown = browser.execute_script(FOUND)
    browser.find_element("id", "clear").click()
    return shown


@pytest.mark.parametrize("door", DOORS)
def test_a_file_is_read_as_image_reads_it(browser, tmp_path, door):
    path = tmp_path / "large.png"
    large_photo(np.random.default_rng(3), SAMPLE.test_images[1]).crop((0, 0, 1199, 1150)).save(path)
    shown, colours = opened(browser, path, DOORS[door]), read_colours(path)
    theirs = np.array(shown["colours"]).reshape(-1, shown["width"], 4)
    np.testing.assert_array_equal(theirs[..., :3], colours)
    assert shown["answer"].removeprefix("A guess: ").startswith(f"{PREDICTOR.predict(path)} (")
    assert shown["cut"]


@pytest.mark.parametrize("start", [0, 3, 6, 9])
@pytest.mark.parametrize("overlap", [0, 9])
def test_a_file_with_a_number(browser, tmp_path, start, overlap):
    """Of digits that may touch each other, then in visible pixels: cut apart where Python does."""
    path = tmp_path / "number.png"
    page = np.full((28, 84 - 2 * overlap), 255, np.uint8)
    for place, digit in enumerate(SAMPLE.test_images[start : start + 3]):
        own = page[:, place * (28 - overlap) :][:, :28]
        own[:] = np.minimum(own, 255 - digit.reshape(28, 28))
    how = Image.Resampling.NEAREST if overlap else Image.Resampling.BICUBIC
    Image.fromarray(page).resize((5 * page.shape[1], 140), how).save(path)
    shown, cuts = opened(browser, path), cut_out_number(read_colours(path), PREDICTOR.predict_proba)
    assert shown["boxes"] == [list(cut.box) for cut in cuts]
    text = "".join(map(str, PREDICTOR.predict_readings(np.stack([cut.readings for cut in cuts])).argmax(axis=1)))
    assert shown["answer"].removeprefix("A guess: ").startswith(f"{text} (")


NUMBER = """
const bytes = Uint8ClampedArray.from(atob(arguments[0]), (c) => c.charCodeAt(0));
const {digits, problem} = digitsIn({width: arguments[1], height: arguments[2], data: bytes});
return {problem, boxes: digits.map(({box}) => [box.top, box.bottom, box.left, box.right]),
  readings: digits.map((digit) => digit.readings.map((pixels) => Array.from(pixels)))};
"""


def cut_alike(browser, colours):
    """Digits where Python finds them."""
    data = base64.b64encode(np.dstack([colours, np.full(colours.shape[:2], 255, np.uint8)]).tobytes()).decode()
    theirs = browser.execute_script(NUMBER, data, colours.shape[1], colours.shape[0])
    try:
        cuts = cut_out_number(colours, PREDICTOR.predict_proba)
    except PictureError:
        assert theirs["problem"] == "This is no number"
        return
    assert theirs["boxes"] == [list(cut.box) for cut in cuts]
    np.testing.assert_array_equal(theirs["readings"], [cut.readings for cut in cuts])


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_in_boxes_and_on_lines(browser, name):
    """Which the page takes away where Python does."""
    random = np.random.default_rng(2)
    for start in range(0, 9, 3):
        cut_alike(browser, read_colours(NUMBERS[name](random, SAMPLE.test_images[start : start + 3])))


def test_wide_digits_and_loose_strokes(browser):
    pictures, _ = wide_digits()
    cut_alike(browser, read_colours(five_and_one()))
    for left, right in zip(pictures[:12:2], pictures[1:12:2], strict=True):
        cut_alike(browser, read_colours(Image.fromarray(np.hstack([left, right]))))


def test_files_without_a_digit(browser, tmp_path):
    Image.new("L", (60, 60), 200).save(tmp_path / "blank.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert opened(browser, tmp_path / "blank.png")["answer"] == "Nothing is written on it"
    assert opened(browser, tmp_path / "broken.png")["answer"] == "Not a picture that can be read here"
