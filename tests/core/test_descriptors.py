import resource
import subprocess
import sys

from core.descriptors import RESERVED, connections


def test_the_limit_is_raised_as_far_as_it_may() -> None:
    program = (
        "import resource; from core.descriptors import raised\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 512))\n"
        "print(raised(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", program], env={}, check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["512", "512", "512"]
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0


def test_some_descriptors_are_kept_for_other_things() -> None:
    assert connections(10_000) == 10_000 - RESERVED
    assert connections(1024) == 256
