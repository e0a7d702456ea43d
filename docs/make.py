"""`make docs`: runs the commands of README.md and docs/, writes what they print, and all pictures; ten minutes."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import doctor
import notebook
import pictures
import terminal
import transcripts


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        transcripts.write(folder)
        terminal.write(folder)
        pictures.write(folder)
    doctor.write()
    notebook.main()


if __name__ == "__main__":
    main()
