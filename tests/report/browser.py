"""A headless Chromium, spoken to over two pipes by its own protocol: no driver and no package beside the browser."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""


class Browser:
    """One page. `said` collects what it logged and what its policy refused."""

    def __init__(self, profile: Path) -> None:
        ours, theirs = os.pipe(), os.pipe()
        command = (
            f"exec '{CHROMIUM}' --headless=new --no-sandbox --disable-gpu --hide-scrollbars --no-first-run"
            f" --user-data-dir='{profile}' --window-size=1500,950 --remote-debugging-pipe about:blank"
            f" 3<&{ours[0]} 4>&{theirs[1]}"
        )
        self._process = subprocess.Popen(
            ["bash", "-c", command], pass_fds=(ours[0], theirs[1]), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._to, self._from = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb")
        self._rest, self._number, self._session = b"", 0, ""
        self.said: list[str] = []
        target = next(t for t in self("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command's answer."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        self._to.write(
            json.dumps({**asked, **({"sessionId": self._session} if self._session else {})}).encode() + b"\0"
        )
        self._to.flush()
        while (told := self._next()).get("id") != self._number:
            self._hear(told)
        assert "error" not in told, told
        answer: dict[str, Any] = told["result"]
        return answer

    def open(self, path: Path) -> None:
        """Open a file, up to its load event."""
        self("Page.navigate", url=path.as_uri())
        while (told := self._next()).get("method") != "Page.loadEventFired":
            self._hear(told)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        told = self("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def picture(self, to: Path) -> None:
        to.write_bytes(base64.b64decode(self("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        self("Browser.close")
        self._to.close()
        self._from.close()
        self._process.wait(10)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._from.fileno(), 1 << 16)
            assert part, "the browser ended"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(line)
        return told

    def _hear(self, told: dict[str, Any]) -> None:
        if told.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.said.append(json.dumps(told["params"]))
