#!/usr/bin/python3
"""The independent reader of the JSONL tests: Python's json, none of our code.

read_jsonl.py sql TABLE      INSERTs of hostile conversations into TABLE (n, conversation)
read_jsonl.py values FILE    exit 0 if FILE holds exactly those values, line by line
read_jsonl.py llava FILE     exit 0 if each line of FILE is a sample that LLaVA's trainer takes
"""
import json
import random
import sys


def texts():
    """Strings that break a careless writer or reader."""
    yield from [
        "第一段\n\n第二段", "line\r\nline\rline", "\t\b\f\v", '"quoted" “引号” \'', "back\\slash \\\\ \\n \\u0041",
        "\\.", "\\N", "\n\\.\n", ".", " ", "\u2028 \u2029 \u0085 \u00a0 \u3000", "\ufeff mark", "\ufffe\uffff\ufdd0",
        "𠀀𠮷𪚥 𰻝", "😀👨‍👩‍👧‍👦🏳️‍🌈", "<b>&amp;</b><script>alert('x')</script>-->", "{\"a\": [1,\n2]}", "a,b;c\td|e",
        "\x01quote\x01 and \x02delimiter\x02", "\x7f\x80\x9f", "é e\u0301 Å", "ابجد עברית", "\U0010ffff",
        "', 'E''", "$$ $1 %s %d", "x" * 1000000, "字" * 100000, "\n" * 10000, "\\" * 10001,
    ]
    for code in range(1, 0xA0):
        yield "<%s>" % chr(code)
    random.seed(641868)
    for _ in range(200):
        yield "".join(random_character() for _ in range(random.randrange(1, 60)))


def random_character():
    while True:
        code = random.choice([random.randrange(1, 0x80), random.randrange(1, 0x3000), random.randrange(1, 0x110000)])
        if not 0xD800 <= code <= 0xDFFF:
            return chr(code)


def conversations():
    for text in texts():
        yield [{"from": "human", "value": text}, {"from": "gpt", "value": text[::-1]}]


def print_sql(table):
    for n, conversation in enumerate(conversations()):
        turns = ", ".join(
            "jsonb_build_object('from', '%s', 'value', convert_from('\\x%s', 'UTF8'))"
            % (turn["from"], turn["value"].encode().hex()) for turn in conversation)
        print("INSERT INTO %s (n, conversation) VALUES (%d, jsonb_build_array(%s));" % (table, n, turns))


def read_lines(path):
    with open(path, "rb") as file:
        data = file.read()
    assert data.endswith(b"\n"), "the last line has no end"
    return [json.loads(line.decode("utf-8")) for line in data[:-1].split(b"\n")]


def check_values(path):
    found, expected = read_lines(path), list(conversations())
    assert len(found) == len(expected), "%d lines, not %d" % (len(found), len(expected))
    for n, (f, e) in enumerate(zip(found, expected)):
        assert f == e, "line %d: %.200r is not %.200r" % (n + 1, f, e)
    print("%d lines equal" % len(found))


def check_llava(path):
    rows, ids = read_lines(path), set()
    for row in rows:
        assert list(row) == ["id", "image", "conversations"], row
        assert isinstance(row["id"], str) and row["id"] not in ids, row["id"]
        ids.add(row["id"])
        assert isinstance(row["image"], str) and row["image"] and not row["image"].startswith("/"), row
        turns = row["conversations"]
        assert turns and len(turns) % 2 == 0, row
        for i, turn in enumerate(turns):
            assert list(turn) == ["from", "value"] and turn["from"] == ("human", "gpt")[i % 2], row
            assert turn["value"].replace("<image>", "").strip(), row
        assert turns[0]["value"].startswith("<image>\n"), row
        assert sum(turn["value"].count("<image>") for turn in turns) == 1, row
    print("%d samples" % len(rows))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    {"sql": print_sql, "values": check_values, "llava": check_llava}[sys.argv[1]](sys.argv[2])
