#!/usr/bin/python3
"""Reads a dataset card: front matter as hubs want it, tables that are tables.

read_card.py CARD: prints a JSON object of what it found.
"""
import json
import re
import sys

import yaml


def cells(line):
    assert line.startswith('|') and line.endswith('|'), line
    return [cell.strip() for cell in re.split(r'(?<!\\)\|', line[1:-1])]


def main():
    lines = open(sys.argv[1], encoding='utf-8', newline='').read().split('\n')
    assert lines[0] == '---'
    end = lines.index('---', 1)
    front, body = yaml.safe_load('\n'.join(lines[1:end])), lines[end + 1:]
    tables, headings, table = {}, [], None
    for line in body:
        assert '\r' not in line and '<' not in line.replace('&lt;', '') or line.startswith('    '), line
        if line.startswith('#'):
            headings.append(line)
        if line.startswith('|'):
            row = cells(line)
            if table is None:
                table = [row]
            else:
                assert len(row) == len(table[0]), (row, table[0])
                table.append(row)
        elif table is not None:
            assert all(re.fullmatch(r'-+:?', cell) for cell in table[1]), table[1]
            tables.setdefault(table[0][0], []).append([table[0]] + table[2:])
            table = None
    for name, copies in tables.items():
        assert len(copies) == (2 if name == '任务 Task' else 1), (name, len(copies))
    print(json.dumps({'front': front, 'headings': headings, 'tables': tables}, ensure_ascii=False))


main()
