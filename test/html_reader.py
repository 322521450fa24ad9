"""What read_page.py and read_report.py have in common: an HTML page taken apart as a browser would.

Fails unless every element and attribute is an allowed one, elements are closed in order, styles
fetch nothing, and there is one policy at most, in the head.
"""
import re
from html.parser import HTMLParser

VOID = {'meta', 'img'}


class Reader(HTMLParser):
    """Subclasses see each element as it begins, and each piece of text in one."""

    def __init__(self, allowed):
        super().__init__(convert_charrefs=True)
        self.allowed = allowed
        self.open = []          # (element, class)
        self.policy = None

    def begin(self, tag, given):
        pass

    def words(self, tag, name, data):
        pass

    def is_within(self, tag):
        return tag in [name for name, _ in self.open]

    def handle_starttag(self, tag, attributes):
        assert tag in self.allowed, f'element {tag}'
        given = dict(attributes)
        assert len(given) == len(attributes), f'{tag} has an attribute twice'
        assert set(given) <= self.allowed[tag], f'{tag} with {sorted(given)}'
        if tag == 'meta' and given.get('http-equiv') == 'Content-Security-Policy':
            assert self.policy is None and self.is_within('head')
            self.policy = given['content']
        self.begin(tag, given)
        if tag not in VOID:
            self.open.append((tag, given.get('class', '')))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f'</{tag}> in {self.open}'
        self.open.pop()

    def handle_data(self, data):
        if not self.open:
            assert data.strip() == '', data
            return
        tag, name = self.open[-1]
        if tag == 'style':
            assert not re.search(r'url\(|@import|expression', data), 'a style that fetches'
        self.words(tag, name, data)

    def handle_comment(self, data):
        raise AssertionError('a comment')

    def unknown_decl(self, data):
        raise AssertionError('a declaration')

    def handle_pi(self, data):
        raise AssertionError('a processing instruction')


def read(reader, path):
    with open(path, encoding='utf-8', newline='') as file:
        text = file.read()
    reader.feed(text)
    reader.close()
    assert not reader.open, reader.open
    assert text.startswith('<!doctype html>')
    return reader
