#!/usr/bin/env python3
"""The table of values in the chart's README, made of values.yaml: a row for each key with a comment `# --`.

`values-table.py` says whether README.md is up to date, `values-table.py --write` brings it there. What a value means is said in
values.yaml, and nowhere else.
"""

import re
import sys
from pathlib import Path

CHART = Path(__file__).parent / "leadline"
BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"


def rows(text: str):
    """Each key with its comment: its path, its default when that stands on its line, the comment."""
    path: list[tuple[int, str]] = []
    comment = ""
    for line in text.splitlines():
        if said := re.match(r"\s*# -- (.*)", line):
            comment = said[1]
            continue
        if not (found := re.match(r"( *)([A-Za-z_][\w-]*):(?: (.*))?$", line)):
            comment = ""
            continue
        indent, key, value = len(found[1]), found[2], (found[3] or "").strip()
        path = [(depth, name) for depth, name in path if depth < indent] + [(indent, key)]
        if comment:
            yield ".".join(name for _, name in path), value, comment
        comment = ""


def table(text: str) -> str:
    lines = ["| value | default | what |", "|---|---|---|"]
    for path, value, comment in rows(text):
        default = f"`{value}`" if value else ""
        escaped = comment.replace("|", "\\|")
        lines.append(f"| `{path}` | {default} | {escaped} |")
    return "\n".join(lines)


def main() -> int:
    readme = CHART / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    wanted = f"{before}{BEGIN}\n{table((CHART / 'values.yaml').read_text())}\n{END}{after}"
    if text == wanted:
        return 0
    if "--write" in sys.argv[1:]:
        readme.write_text(wanted)
        return 0
    print("the table of values in README.md is behind values.yaml: run deploy/helm/values-table.py --write")
    return 1


if __name__ == "__main__":
    sys.exit(main())
