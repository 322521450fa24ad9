#!/usr/bin/python3
"""Reads a page of llava_page as a browser would and says what is on it.

read_page.py PAGE [EXPECTED]

Fails unless every element and attribute is one that the page is made of, nothing
is fetched from anywhere, elements are closed in order, the one script is page.js and
the policy allows it by its hash and nothing else, and each string of EXPECTED
(a JSON array of [place, text]) stands somewhere as text of an element of that class.
"""
import base64
import hashlib
import json
import os
import re
import sys
from html.parser import HTMLParser

VOID = {'meta', 'img'}
SCRIPT = os.path.join(os.path.dirname(__file__), '../src/pg/export/page.js')
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
ALLOWED = {
    'html': {'lang'}, 'head': set(), 'meta': {'charset', 'name', 'content', 'http-equiv'},
    'title': set(), 'style': set(), 'body': set(), 'header': set(), 'main': set(),
    'footer': set(), 'h1': set(), 'h2': set(), 'p': {'class', 'id', 'role', 'aria-live', 'hidden'},
    'b': {'data-count'}, 'code': set(), 'kbd': set(), 'pre': set(), 'div': {'class', 'id', 'hidden'},
    'section': {'class'}, 'article': {'class', 'id', 'tabindex'} | {
        'data-' + name for name in ('image', 'task', 'reply', 'words', 'judged', 'keep', 'note')},
    'span': {'class', 'title'}, 'i': {'style'}, 'img': {'src', 'alt', 'loading'},
    'nav': {'id', 'aria-label', 'data-page', 'hidden'}, 'label': {'for'},
    'textarea': {'id', 'maxlength', 'rows'}, 'button': {'type', 'class', 'data-act'}, 'script': set(),
}


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open = []
        self.texts = {}
        self.pictures = 0
        self.samples = 0
        self.ids = set()
        self.policy = None
        self.scripts = []

    def handle_starttag(self, tag, attributes):
        assert tag in ALLOWED, f'element {tag}'
        given = dict(attributes)
        assert len(given) == len(attributes), f'{tag} has an attribute twice'
        assert set(given) <= ALLOWED[tag], f'{tag} with {sorted(given)}'
        if tag == 'img':
            kind, data = given['src'].split(',', 1)
            assert kind == 'data:image/jpeg;base64', kind
            assert base64.b64decode(data, validate=True)[:3] == b'\xff\xd8\xff', 'no JPEG'
            self.pictures += 1
        if tag == 'i':
            assert re.fullmatch(r'width:\d+(\.\d+)?%', given['style']), given['style']
        if tag == 'meta' and given.get('http-equiv') == 'Content-Security-Policy':
            assert self.policy is None and 'body' not in [name for name, _ in self.open]
            self.policy = given['content']
        if tag == 'script':
            self.scripts.append('')
        if tag == 'article':
            self.samples += 1
            assert given['id'] not in self.ids, given['id']
            self.ids.add(given['id'])
        if tag not in VOID:
            self.open.append((tag, given.get('class', '')))
            if tag in ('p', 'span'):
                self.texts.setdefault(given.get('class', ''), []).append('')

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f'</{tag}> in {self.open}'
        self.open.pop()

    def handle_data(self, data):
        if not self.open:
            assert data.strip() == '', data
            return
        tag, name = self.open[-1]
        if tag == 'script':
            self.scripts[-1] += data
        elif tag == 'style':
            assert not re.search(r'url\(|@import|expression', data), 'a style that fetches'
        elif tag in ('p', 'span'):
            self.texts[name][-1] += data

    def handle_comment(self, data):
        raise AssertionError('a comment')

    def unknown_decl(self, data):
        raise AssertionError('a declaration')

    def handle_pi(self, data):
        raise AssertionError('a processing instruction')


def main():
    with open(sys.argv[1], encoding='utf-8', newline='') as file:
        text = file.read()
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open, page.open
    assert text.startswith('<!doctype html>')
    with open(SCRIPT, encoding='utf-8', newline='') as file:
        script = file.read()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert page.scripts == [script], 'another script'
    assert page.policy == f"{POLICY}; script-src 'sha256-{digest}'", page.policy
    for place, expected in json.load(open(sys.argv[2], encoding='utf-8')) if sys.argv[2:] else []:
        assert expected in page.texts.get(place, []), (place, expected)
    print(f'page: {page.samples} samples, {page.pictures} pictures')


main()
