# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Puts measured tables into a document, between the marks that name their files.

A mark is `<!-- NAME -->` on a line of its own, its end `<!-- end -->`; NAME.md (or NAME.txt, as a
code block) in the folder of figures goes between them. Tables that were not measured stay.

make bench-docs
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

_PLACE = re.compile(r'^<!-- ([\w-]+) -->\n.*?^<!-- end -->$', re.MULTILINE | re.DOTALL)


def fill_in(text: str, figures: dict[str, str]) -> str:
    """Return a document with the figures, by name, in their places.

    Raises
    ------
    ValueError
        If a figure has no place.
    """
    places = {match.group(1) for match in _PLACE.finditer(text)}
    homeless = figures.keys() - places
    if homeless:
        raise ValueError(f'no place for {", ".join(sorted(homeless))}: add <!-- NAME --> marks')

    def put(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in figures:
            return match.group(0)
        return f'<!-- {name} -->\n{figures[name]}<!-- end -->'

    return _PLACE.sub(put, text)


def main() -> int:
    """Fill a document in, and copy the chart beside it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('document', type=Path)
    parser.add_argument('figures', type=Path, help='folder that `make bench` wrote')
    arguments = parser.parse_args()
    figures = {path.stem: path.read_text() for path in sorted(arguments.figures.glob('*.md'))}
    for path in sorted(arguments.figures.glob('*.txt')):
        figures[path.stem] = f'```\n{path.read_text().strip()}\n```\n'
    if not figures:
        print(f'no figures in {arguments.figures}: run `make bench` first', file=sys.stderr)
        return 2
    try:
        arguments.document.write_text(fill_in(arguments.document.read_text(), figures))
    except ValueError as error:
        print(f'{arguments.document}: {error}', file=sys.stderr)
        return 2
    chart = arguments.figures / 'benchmark.png'
    if chart.is_file():
        shutil.copy(chart, arguments.document.parent / 'images' / chart.name)
    print(f'{arguments.document}: {", ".join(figures)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
