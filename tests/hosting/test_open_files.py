"""A server may have many connections open, whatever the system begins with."""

import subprocess
import sys

import pytest

resource = pytest.importorskip("resource")

PROGRAM = """
import resource
from explorer.hosting.open_files import allow_many, limit
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))
allow_many()
print(*resource.getrlimit(resource.RLIMIT_NOFILE), limit())
"""


@pytest.mark.parametrize(("hard", "soft"), [("hard", None), ("4096", 4096), ("256", 256)])
def test_the_limit_is_what_the_system_allows(hard, soft):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(hard=hard)],
        capture_output=True,
        text=True,
        check=True,
    )
    limits = [int(each) for each in done.stdout.split()]
    expected = min(65_536, most) if most != resource.RLIM_INFINITY else 65_536
    assert limits[0] == limits[2] == (soft or expected)
