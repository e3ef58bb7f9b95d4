"""Make the pictures of the tab Learn, and the figures of pages of docs/: python -m tests.docs"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import ancestral_page
import first_run_page
import learn_pictures
import pages
import tuning_page

from explorer.engine import Engine

if __name__ == "__main__":
    engine = Engine()
    learn_pictures.make(engine)
    for page in (ancestral_page, tuning_page):
        pages.write(page.PAGE, page.make(engine))
    pages.write(first_run_page.PAGE, first_run_page.texts())
