"""For PyInstaller, which finds this by the entry point `pyinstaller40`: what an application with this package needs.

Nothing here runs in the application, and nothing in the package imports it.
"""

from pathlib import Path


def hook_dirs() -> list[str]:
    """The folders that hold hooks."""
    return [str(Path(__file__).parent)]
