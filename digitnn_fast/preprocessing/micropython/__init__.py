"""The steps in plain Python with integers alone: `export --to micropython` puts their text into its file."""
