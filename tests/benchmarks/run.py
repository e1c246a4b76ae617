"""Run all benchmarks one after another, each in a separate process."""

import subprocess
import sys
from pathlib import Path

from virtualbrain.pipeline.environment import use_project_caches


def main() -> int:
    """Run the benchmarks of this folder; return the number that failed."""
    use_project_caches()
    failed = 0
    for script in sorted(Path(__file__).parent.glob("bench_*.py")):
        print(f"\n===== {script.stem.removeprefix('bench_')} =====", flush=True)
        failed += (
            subprocess.run([sys.executable, str(script), *sys.argv[1:]], check=False).returncode
            != 0
        )
    return failed


if __name__ == "__main__":
    sys.exit(main())
