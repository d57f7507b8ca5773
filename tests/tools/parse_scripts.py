"""Parses every Python and bash file of bench, python and scripts; nothing is run.

    python3 tests/tools/parse_scripts.py REPOSITORY
"""

import ast
import pathlib
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
bad = num_files = 0
for path in sorted([*(root / "bench").iterdir(), *(root / "scripts").iterdir(),
                    *(root / "python").rglob("*.py")]):
    if not path.is_file() or path.suffix not in ("", ".py", ".sh"):
        continue
    text = path.read_text()
    first = text.partition("\n")[0]
    num_files += 1
    if path.suffix == ".py" or "python" in first:
        try:
            ast.parse(text)
        except SyntaxError as error:
            print(f"{path}: {error}")
            bad += 1
    elif "bash" in first and subprocess.run(["bash", "-n", path], check=False).returncode != 0:
        bad += 1
print(f"{num_files} scripts, {bad} do not parse")
sys.exit(bad > 0 or num_files < 5)
