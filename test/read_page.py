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

import html_reader

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


class Page(html_reader.Reader):
    def __init__(self):
        super().__init__(ALLOWED)
        self.texts = {}
        self.pictures = 0
        self.samples = 0
        self.ids = set()
        self.scripts = []

    def begin(self, tag, given):
        if tag == 'img':
            kind, data = given['src'].split(',', 1)
            assert kind == 'data:image/jpeg;base64', kind
            assert base64.b64decode(data, validate=True)[:3] == b'\xff\xd8\xff', 'no JPEG'
            self.pictures += 1
        if tag == 'i':
            assert re.fullmatch(r'width:\d+(\.\d+)?%', given['style']), given['style']
        if tag == 'script':
            self.scripts.append('')
        if tag == 'article':
            self.samples += 1
            assert given['id'] not in self.ids, given['id']
            self.ids.add(given['id'])
        if tag in ('p', 'span'):
            self.texts.setdefault(given.get('class', ''), []).append('')

    def words(self, tag, name, data):
        if tag == 'script':
            self.scripts[-1] += data
        elif tag in ('p', 'span'):
            self.texts[name][-1] += data


def main():
    page = html_reader.read(Page(), sys.argv[1])
    with open(SCRIPT, encoding='utf-8', newline='') as file:
        script = file.read()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert page.scripts == [script], 'another script'
    assert page.policy == f"{POLICY}; script-src 'sha256-{digest}'", page.policy
    for place, expected in json.load(open(sys.argv[2], encoding='utf-8')) if sys.argv[2:] else []:
        assert expected in page.texts.get(place, []), (place, expected)
    print(f'page: {page.samples} samples, {page.pictures} pictures')


main()
