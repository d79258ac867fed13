"""The system's browser: ``python -m tests.support.chromium`` says where it is, and fails where there is none."""

import shutil
import sys

_BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def chromium() -> str:
    """The path of a Chromium, or of a Chrome, which is as good. Raises ``AssertionError`` where there is none."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    assert found is not None, "there is no Chromium: run `apt-get install chromium` (`make test` does)"
    return found


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{chromium()}\n")
    except AssertionError as error:
        sys.exit(str(error))
