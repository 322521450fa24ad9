#!/usr/bin/python3
"""Reads a page of llava_page as a browser would and says what is on it.

read_page.py PAGE [EXPECTED]

Fails unless every element and attribute is one that the page is made of, nothing
is fetched from anywhere, elements are closed in order, and each string of EXPECTED
(a JSON array of [place, text]) stands somewhere as text of an element of that class.
"""
import base64
import json
import re
import sys
from html.parser import HTMLParser

VOID = {'meta', 'img'}
ALLOWED = {
    'html': {'lang'}, 'head': set(), 'meta': {'charset', 'name', 'content', 'http-equiv'},
    'title': set(), 'style': set(), 'body': set(), 'header': set(), 'main': set(),
    'footer': set(), 'h1': set(), 'h2': set(), 'p': {'class'}, 'b': set(), 'code': set(),
    'pre': set(), 'div': {'class'}, 'section': {'class'}, 'article': {'class', 'id'},
    'span': {'class', 'title'}, 'i': {'style'}, 'img': {'src', 'alt', 'loading'},
}


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open = []
        self.texts = {}
        self.pictures = 0
        self.samples = 0
        self.ids = set()

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
            assert given['content'].startswith("default-src 'none';"), given['content']
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
        if tag == 'style':
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
    assert '"default-src \'none\'; img-src data:; style-src \'unsafe-inline\'"' in text
    for place, expected in json.load(open(sys.argv[2], encoding='utf-8')) if sys.argv[2:] else []:
        assert expected in page.texts.get(place, []), (place, expected)
    print(f'page: {page.samples} samples, {page.pictures} pictures')


main()
