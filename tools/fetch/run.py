"""Turn a fetched page into text: JSON on stdin, JSON on stdout, standard library only.

    {"url": ..., "start": 0, "save": "page.html",
     "fetch": {"url": ..., "type": "text/html", "charset": "utf-8", "body": base64}}
 -> {"url": ..., "title": "", "text": ..., "start": 0, "next": null, "characters": 1234}

What the host fetched is under `fetch`; the host has not looked into it. The page is hostile: this runs in the world,
under its limits, and what it prints is text and nothing more.
"""

import base64
import json
import sys
import unicodedata

from _charset import decoded
from _page import read

PART = 8000
"""Characters of one part."""
MARKUP = ("text/html", "application/xhtml+xml")


def main():
    sys.set_int_max_str_digits(0)  # a character reference of thousands of digits is a wrong one, not an error
    request = json.load(sys.stdin)
    page = request["fetch"]
    body = base64.b64decode(page["body"])
    if path := request.get("save"):
        save(path, body)
    title, text = "", decoded(body, page["charset"], markup=page["type"] in MARKUP)
    if page["type"] in MARKUP:
        title, text = read(text)
    text = visible(text)
    start = request.get("start", 0)
    end = start + PART
    answer = {
        "url": page["url"],
        "title": visible(title)[:200],
        "text": text[start:end],
        "start": start,
        "next": end if end < len(text) else None,
        "characters": len(text),
    }
    json.dump(answer, sys.stdout)


def save(path, body):
    try:
        with open(path, "wb") as file:
            file.write(body)
    except (OSError, ValueError) as error:
        sys.exit(f"the page cannot be saved as {path!r}: {error}")


def visible(text):
    """Without characters that show nothing: they can only hide something from a person who reads along."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs"))


if __name__ == "__main__":
    main()
