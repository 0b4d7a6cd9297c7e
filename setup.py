"""What pyproject.toml can't say: the notebook's folder is part of the package, and where the README's links lead."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# The repository's public address, such as "https://github.com/NAME/digitnn-fast". While there is none, links in the
# description lead nowhere outside the repository. Given, they are absolute, and the index shows it beside
# the package; a test then wants it in CITATION.cff, too, as repository-code.
HOME = ""


class WithNotebook(build_py):
    """Also puts kernel/ into the package. A link would do, but not in a clone on Windows."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if not self.editable_mode:
            shutil.copytree("kernel", Path(self.build_lib, "digitnn_fast", "kernel"), dirs_exist_ok=True)


def description(text: str, home: str) -> str:
    """The README `text` with its relative links below `home`, pictures as files and all else as pages."""

    def absolute(found: re.Match[str]) -> str:
        before, path = found.groups()
        kind = "raw" if path.endswith((".svg", ".png")) else "blob"
        return f"{before}{home}/{kind}/main/{path}"

    link = r"""(\]\(|\b(?:src|srcset|href)=")(?![a-z]+:|#)([^)"\s]+)"""
    return re.sub(link, absolute, text) if home else text


if __name__ == "__main__":
    setup(
        cmdclass={"build_py": WithNotebook},
        long_description=description(Path("README.md").read_text(encoding="utf-8"), HOME),
        long_description_content_type="text/markdown",
        **({"url": HOME, "project_urls": {"Changes": f"{HOME}/blob/main/digitnn_fast/CHANGELOG.md"}} if HOME else {}),
    )
