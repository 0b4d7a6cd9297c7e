"""What PyInstaller can't see: modules imported by name, data, and the sources by which machine code is kept."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

hiddenimports = collect_submodules("digitnn_fast", filter=lambda name: name != "digitnn_fast.frozen")
datas = collect_data_files("digitnn_fast", include_py_files=True, excludes=["frozen/*", "**/__pycache__/*"])
