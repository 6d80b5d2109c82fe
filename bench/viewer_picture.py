# Copyright 2026 The msdepth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The picture of the viewer in the documents: `msdepth demo --web`, as Chromium draws it.

python bench/viewer_picture.py http://127.0.0.1:8080/ --out docs/images/viewer.jpg
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

_OPTIONS = (
    '--headless=new',
    '--use-gl=angle',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
    '--no-sandbox',
)


def main() -> None:
    """Open the page, wait until it has drawn, and write what it looks like."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('address', help='that the viewer has printed')
    parser.add_argument('--out', type=Path, default=Path('out/viewer.jpg'))
    parser.add_argument('--size', default='1280x800', help='of the page, pixels')
    parser.add_argument('--seconds', type=float, default=20.0, help='to wait for the drawing')
    parser.add_argument('--dark', action='store_true')
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split('x'))
    path = shutil.which('chromium') or shutil.which('chromium-browser')
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_OPTIONS))
        page = browser.new_page(viewport={'width': width, 'height': height})
        page.goto(arguments.address)
        page.get_by_alt_text('depth picture').wait_for(timeout=60_000)
        if arguments.dark:
            page.get_by_role('checkbox', name='dark page').check()
        page.get_by_role('alert').get_by_role('button').first.click()  # software rendering
        page.wait_for_timeout(1000 * arguments.seconds)
        page.screenshot(path=str(arguments.out), type='jpeg', quality=80)
        browser.close()


if __name__ == '__main__':
    main()
