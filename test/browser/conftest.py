"""The helpers of test/core make the ledgers that the browser looks at."""

from pathlib import Path
import sys

sys.path.append(str(Path(__file__).resolve().parents[1] / 'core'))
