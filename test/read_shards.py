#!/usr/bin/python3
"""Reads tar files as WebDataset's readers do and tells what they would choke on.

Written apart from the extension, with tarfile only. The rules are those of webdataset's
tariterators.py (base_plus_ext, group_by_keys, members that it skips) and of the loader in
Hugging Face datasets, which takes the columns of a data set from its first five samples.
Prints a line a sample: key, kind and sha256 of the picture, sha256 of its line; then, of
all lines in order, their number and the sha256 of them. Exit status 1 if anything fails.
"""

import argparse
import hashlib
import json
import re
import sys
import tarfile


def base_plus_ext(path):
    match = re.match(r"^((?:.*/|)[^.]+)[.]([^/]*)$", path)
    return match.groups() if match else (None, None)


def members(path):
    with tarfile.open(path, mode="r|*") as stream:
        for member in stream:
            name = member.name
            assert member.isreg(), "%s is no regular file" % name
            assert not re.match(r"__[^/]*__($|/)", name), "%s is skipped as metadata" % name
            constants = (member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode)
            assert constants == (0, 0, 0, "", "", 0o644), "%s has %s" % (name, constants)
            yield name, stream.extractfile(member).read()
            stream.members = []


def samples(path):
    """As group_by_keys: members in a row with the same key."""
    current = None
    for name, data in members(path):
        key, suffix = base_plus_ext(name)
        assert key is not None, "%s has no key" % name
        suffix = suffix.lower()
        if current is None or key != current["__key__"]:
            if current is not None:
                yield current
            current = {"__key__": key}
        assert suffix not in current, "%s twice" % name
        current[suffix] = data
    if current is not None:
        yield current


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", nargs="+")
    parser.add_argument("--quiet", action="store_true", help="only the last line")
    parser.add_argument("--one-kind", action="store_true", help="all samples have the columns of the first")
    arguments = parser.parse_args()
    digest = hashlib.sha256()
    keys = set()
    first = None
    for path in arguments.shards:
        for sample in samples(path):
            key = sample.pop("__key__")
            assert key not in keys, "key %s twice" % key
            keys.add(key)
            assert len(sample) == 2 and "json" in sample, "%s has %s" % (key, sorted(sample))
            kind = next(suffix for suffix in sample if suffix != "json")
            first = first or kind
            assert kind == first or not arguments.one_kind, "%s is %s, the first %s" % (key, kind, first)
            line = sample["json"]
            row = json.loads(line)
            assert line.endswith(b"\n") and line.count(b"\n") == 1, "%s is not one line" % key
            named = row.get("image") or row.get("file_name") or (row.get("images") or [None])[0]
            if named is not None:
                assert named == "%s.%s" % (key, kind), "%s says that its picture is %s" % (key, named)
            digest.update(line)
            if not arguments.quiet:
                print(key, kind, hashlib.sha256(sample[kind]).hexdigest(), hashlib.sha256(line).hexdigest())
    print(len(keys), digest.hexdigest())


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, tarfile.TarError, ValueError) as why:
        print("%s: %s" % (type(why).__name__, why), file=sys.stderr)
        sys.exit(1)
