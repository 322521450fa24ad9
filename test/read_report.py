#!/usr/bin/python3
"""Reads a page of llava_report as a browser would and prints what its tables say, as JSON.

read_report.py PAGE

Fails unless every element and attribute is one that the report is made of, elements are
closed in order, coordinates are numbers, nothing is fetched from anywhere, each plot has a
table, and the shades of the plots differ in lightness alone.  Prints {"sums": {label: value},
"tables": {title: [[cell, ...], ...]}, "plots": {title: text of the svg elements}}; the first row
of a table is its head.
"""
import json
import re
import sys

import html_reader

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
SHAPE = {'class', 'd', 'x', 'y', 'width', 'height'}
ALLOWED = {
    'html': {'lang'}, 'head': set(), 'meta': {'charset', 'name', 'content', 'http-equiv'},
    'title': set(), 'style': set(), 'body': set(), 'header': set(), 'main': set(), 'footer': set(),
    'h1': set(), 'h2': set(), 'small': set(), 'p': {'class'}, 'code': set(), 'dl': {'class'}, 'div': {'class', 'tabindex'},
    'dt': set(), 'dd': set(), 'figure': set(), 'ul': {'class'}, 'li': set(),
    'svg': {'class', 'viewbox', 'role', 'aria-label', 'aria-hidden'}, 'path': SHAPE, 'rect': SHAPE, 'circle': {'class', 'cx', 'cy', 'r'},
    'text': {'x', 'y', 'text-anchor'}, 'table': set(), 'thead': set(), 'tbody': set(), 'tr': set(), 'th': {'scope'}, 'td': set(),
}
NUMBER = r'-?\d+(?:\.\d+)?'


def lightness(colour):
    """L* of CIELAB, 0 to 100."""
    channels = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * (y ** (1 / 3) if y > 0.008856 else 7.787 * y + 16 / 116) - 16


class Report(html_reader.Reader):
    def __init__(self):
        super().__init__(ALLOWED)
        self.sums, self.tables, self.plots = {}, {}, {}
        self.label = self.title = ''

    def begin(self, tag, given):
        for name in ('x', 'y', 'width', 'height'):
            assert name not in given or re.fullmatch(NUMBER, given[name]), given
        assert 'd' not in given or re.fullmatch(f'(?:[MLhHvVz]|{NUMBER}| )*', given['d']), given['d']
        if tag == 'figure':
            self.title = ''
        if tag == 'svg' and given['class'] == 'plot':
            assert given['role'] == 'img' and given['aria-label'], given
            assert self.title not in self.plots, f'{self.title} twice'
            self.plots[self.title] = []
        if tag == 'table':
            assert self.title in self.plots, self.title
            self.tables[self.title] = []
        if tag == 'tr':
            self.tables[self.title].append([])
        if tag in ('th', 'td'):
            self.tables[self.title][-1].append('')
        if tag == 'text':
            self.plots[self.title].append('')
        if tag in ('dt', 'dd'):
            self.label = self.label if tag == 'dd' else ''

    def words(self, tag, name, data):
        if tag == 'style':
            shades = [lightness(shade) for shade in re.findall(r'--s\d: (#[0-9a-f]{6});', data)]
            assert len(shades) == 6 and all(b - a >= 10 for a, b in zip(shades, shades[1:])), shades
        elif tag in ('h2', 'small') and self.is_within('h2'):
            self.title += data if tag == 'h2' else f' {data}'
        elif tag in ('th', 'td'):
            self.tables[self.title][-1][-1] += data
        elif tag == 'text':
            self.plots[self.title][-1] += data
        elif tag == 'dt':
            self.label += data
        elif tag == 'dd':
            self.sums[self.label] = self.sums.get(self.label, '') + data


def main():
    report = html_reader.read(Report(), sys.argv[1])
    assert report.policy == POLICY, report.policy
    assert set(report.tables) == set(report.plots), set(report.tables) ^ set(report.plots)
    print(json.dumps({'sums': report.sums, 'tables': report.tables, 'plots': report.plots}))


main()
