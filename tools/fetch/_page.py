"""The readable text of a page: headings, paragraphs, lists, tables and code, without menus, scripts and what is hidden.

Where the page marks its main part, only that is kept. No tree is built and nothing recurses, so no page is too deep.
"""

import re
from html.parser import HTMLParser


def names(text):
    return frozenset(text.split())


SKIPPED = names(
    "audio button canvas dialog footer iframe math nav noframes noscript object script select style svg template"
    " textarea video"
)
"""Elements that are left out with all that is in them."""
PARAGRAPHS = names("blockquote dl figure h1 h2 h3 h4 h5 h6 ol p pre table ul")
"""Elements with an empty line before and after them."""
LINES = names(
    "address article body caption center dd details div dt fieldset figcaption header hr html li main section summary"
    " tbody tfoot thead tr"
)
"""Elements on lines of their own."""
MARKS = {"li": "- ", "td": " | ", "th": " | ", **{f"h{level}": "#" * level + " " for level in range(1, 7)}}
"""What is put before an element's text."""
LOOSE = names("body colgroup dd dt head html li optgroup option p rp rt tbody td tfoot th thead tr")
"""Elements that may end without an end tag, so none of them is skipped."""
VOID = names("area base br col embed hr img input link meta source track wbr")
MAIN = names("article main")
ENOUGH = 200
"""Characters that a main part has, or it is none."""
HIDDEN = re.compile(r"(?:display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden)", re.IGNORECASE)
BLANKS = re.compile(r"[ \t\n\r\f\v\xa0]+")


def read(markup):
    """The title and the text of a page."""
    page = Page()
    page.feed(markup)
    page.close()
    main = page.main.all()
    title = BLANKS.sub(" ", "".join(page.title)).strip()
    return title, main if len(main) >= ENOUGH else page.whole.all()


class Page(HTMLParser):
    """What has been seen of a page, in the order of its tags."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.whole, self.main, self.title = Text(), Text(), []
        self.open = dict.fromkeys((*MAIN, "pre", "title"), 0)
        self.skipping, self.depth = "", 0

    def handle_starttag(self, tag, attributes):
        if self.skipping:
            self.depth += tag == self.skipping
        elif tag in SKIPPED or (tag not in VOID | LOOSE and hidden(dict(attributes))):
            self.skipping, self.depth = tag, 1
        else:
            if tag in self.open:
                self.open[tag] += 1
            self.separate(tag)
            if tag in MARKS:
                self.put(MARKS[tag])

    def handle_startendtag(self, tag, attributes):
        if not self.skipping:
            self.separate(tag)

    def handle_endtag(self, tag):
        if self.skipping:
            self.depth -= tag == self.skipping
            self.skipping = self.skipping if self.depth else ""
            return
        self.separate(tag)
        if self.open.get(tag):
            self.open[tag] -= 1

    def handle_data(self, data):
        if self.skipping:
            return
        if self.open["title"]:
            self.title.append(data)
        else:
            self.put(data)

    def separate(self, tag):
        breaks = 2 if tag in PARAGRAPHS else 1 if tag in LINES or tag == "br" else 0
        for text in self.wanted():
            if breaks:
                text.separate(breaks)

    def put(self, data):
        for text in self.wanted():
            if self.open["pre"]:
                text.code(data)
            else:
                text.words(data)

    def wanted(self):
        return (self.whole, self.main) if any(self.open[tag] for tag in MAIN) else (self.whole,)


class Text:
    """Words with one blank between them, lines of code as they are, and never more than one empty line."""

    def __init__(self):
        self.parts, self.breaks = [], 0

    def words(self, data):
        data = BLANKS.sub(" ", data)
        if self.breaks or not self.parts or self.parts[-1][-1:].isspace():
            data = data.lstrip(" ")
        if data:
            self.flush()
            self.parts.append(data)

    def code(self, data):
        if data:
            self.flush()
            self.parts.append(data)

    def separate(self, breaks):
        self.breaks = max(self.breaks, breaks)

    def flush(self):
        if self.breaks and self.parts:
            self.parts[-1] = self.parts[-1].rstrip()
            self.parts.append("\n" * self.breaks)
        self.breaks = 0

    def all(self):
        return "".join(self.parts).strip()


def hidden(attributes):
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or HIDDEN.search(attributes.get("style") or "") is not None
    )
