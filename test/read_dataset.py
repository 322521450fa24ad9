#!/usr/bin/python3
"""Reads an export as the trainer of its format does and tells what it would choke on.

Written apart from the extension, with a JSON parser only. The rules are the trainers'
own: LLaMA-Factory's mm_plugin and its converters, v0's and v1's, ms-swift's and Qwen's
dataset formats, LLaVA's train.py, InternVL's meta file, TRL's conversational vision
datasets, OpenAI's vision fine-tuning, the imagefolder of Hugging Face datasets.
Prints the number of rows and a digest of their dialogues, which is the same in every
format. Exit status 1 if any row fails, or if there is none.
"""

import argparse
import hashlib
import json
import os
import sys

MEDIA = ("<image>", "<video>", "<audio>")
MARKS = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|image_pad|>", "<|endoftext|>", "<think>", "</think>")


class Fault(Exception):
    """Why a row is no good."""


def expect(truth, why):
    if not truth:
        raise Fault(why)


def keys(value, *names):
    expect(isinstance(value, dict) and set(value) == set(names), "keys are not " + ", ".join(names))


def spoken(turns, role, text, names):
    """The turns' texts, which alternate from the user on."""
    expect(isinstance(turns, list) and turns, "no turns")
    expect(len(turns) % 2 == 0, "an odd number of turns")  # LLaMA-Factory: "Invalid message count"
    texts = []
    for i, turn in enumerate(turns):
        keys(turn, role, text)
        expect(turn[role] == names[i % 2], "turn %d is from %r" % (i + 1, turn[role]))  # LLaVA asserts it
        texts.append(turn[text])
    return texts


def take_token(texts, images, separator):
    """LLaMA-Factory counts the token in all turns; each trainer replaces it in order."""
    for text in texts:
        expect(isinstance(text, str), "a turn is not a string")
    expect(sum(text.count("<image>") for text in texts) == images, "<image> tokens are not as many as images")
    first = texts[0]
    if first.startswith("<image>"):
        expect(first.startswith("<image>" + separator), "the separator after <image> is missing")
        return [first[len("<image>" + separator) :]] + texts[1:]
    expect(first.endswith(separator + "<image>"), "<image> is not at an end of the first question")
    return [first[: -len(separator + "<image>")]] + texts[1:]


def read_llava(row):
    keys(row, "id", "image", "conversations")
    expect(isinstance(row["id"], str), "the id is not a string")
    texts = spoken(row["conversations"], "from", "value", ("human", "gpt"))
    return row["image"], take_token(texts, 1, "\n")


def read_qwen(row):
    keys(row, "image", "conversations")
    texts = spoken(row["conversations"], "from", "value", ("human", "gpt"))
    return row["image"], take_token(texts, 1, "\n")


def read_messages(row):
    keys(row, "images", "messages")
    # a string here would be taken for a list of one-letter names
    expect(isinstance(row["images"], list) and len(row["images"]) == 1, "images is not a list of one")
    texts = spoken(row["messages"], "role", "content", ("user", "assistant"))
    return row["images"][0], take_token(texts, len(row["images"]), "")


def llamafactory_v0(row, info):
    """What the converter of LLaMA-Factory makes of a row by its entry in dataset_info.json."""
    columns = dict({"messages": "conversations", "images": None}, **info.get("columns", {}))
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
    tags.update(info.get("tags", {}))
    expect(info["formatting"] == "sharegpt", "another converter than sharegpt")
    messages = row[columns["messages"]]
    # it skips a sample that breaks one of these with a warning
    for i, message in enumerate(messages):
        wanted = tags["assistant_tag"] if i % 2 else tags["user_tag"]
        expect(message[tags["role_tag"]] == wanted, "v0: invalid role tag in turn %d" % (i + 1))
    expect(len(messages) % 2 == 0 and messages, "v0: invalid message count")
    images = row[columns["images"]]
    expect(isinstance(images, list) and images, "v0: no images")
    return images, [message[tags["content_tag"]] for message in messages]


def llamafactory_v1(row):
    """What the converter "sharegpt" of LLaMA-Factory with USE_V1 makes of a row: turns and whether they are learnt."""
    roles = {"human": "user", "gpt": "assistant", "system": "system", "observation": "tool"}
    turns = []
    # without this key it makes a sample of no turns, without a word
    for message in row.get("conversations", []):
        expect(message["from"] in roles, "v1: unsupported role tag %r, and the turn is lost" % message["from"])
        turns.append((roles[message["from"]], message["value"], message["from"] == "gpt"))
    expect(turns, "v1: a sample of no turns")
    expect([learnt for _, _, learnt in turns] == [False, True] * (len(turns) // 2), "v1: other turns are learnt")
    return [text for _, text, _ in turns]


def read_sharegpt(row):
    keys(row, "images", "conversations")
    texts = spoken(row["conversations"], "from", "value", ("human", "gpt"))
    expect(llamafactory_v1(row) == texts, "v1 reads other turns")
    expect(llamafactory_v0(row, INFO) == (row["images"], texts), "v0 reads other turns")
    expect(len(row["images"]) == 1, "images is not a list of one")
    return row["images"][0], take_token(texts, 1, "")


def read_llamafactory(row):
    name, texts = read_messages(row)
    images, raw = llamafactory_v0(row, INFO)
    expect((images[0], take_token(raw, len(images), "")) == (name, texts), "v0 reads something else")
    return name, texts


def read_trl(row):
    """SFTTrainer leaves contents that are lists as they are; the processor looks for parts of type image."""
    keys(row, "images", "messages")
    expect(isinstance(row["images"], list) and len(row["images"]) == 1, "images is not a list of one")
    texts, placed = [], 0
    for i, content in enumerate(spoken(row["messages"], "role", "content", ("user", "assistant"))):
        expect(isinstance(content, list), "a content is not a list as the others")
        said = [part["text"] for part in content if part["type"] == "text"]
        here = [part for part in content if part == {"type": "image"}]
        expect(len(said) + len(here) == len(content) and len(said) == 1, "other parts than one text and images")
        expect(i == 0 or not here, "an image in turn %d" % (i + 1))
        placed += len(here)
        texts += said
    expect(placed == len(row["images"]), "parts of type image are not as many as images")
    return row["images"][0], texts


def read_openai(row):
    keys(row, "messages")
    image = None
    texts = []
    for i, content in enumerate(spoken(row["messages"], "role", "content", ("user", "assistant"))):
        expect(isinstance(content, list), "a content is not a list as the others")
        said = []
        for part in content:
            if part.get("type") == "image_url":
                keys(part, "type", "image_url")
                keys(part["image_url"], "url")
                expect(i == 0 and image is None, "more than one image, or not in the first turn")
                image = part["image_url"]["url"]
            else:
                keys(part, "type", "text")
                expect(part["type"] == "text", "a part of type %r" % part["type"])
                said.append(part["text"])
        expect(len(said) == 1, "a turn has not one text")
        texts += said
    expect(image is not None, "no image")
    return image, texts


def read_imagefolder(row):
    keys(row, "id", "task", "file_name", "conversations")
    expect(isinstance(row["id"], str) and isinstance(row["task"], str), "id or task is not a string")
    texts = spoken(row["conversations"], "from", "value", ("human", "gpt"))
    return row["file_name"], take_token(texts, 1, "\n")


def read_stored(row):
    """A conversation as the table has it: the digest to compare with."""
    return None, spoken(row, "from", "value", ("human", "gpt"))


# LLaMA-Factory's entry where no other is given with --info
INFO = {"formatting": "sharegpt", "columns": {"images": "images"}}

FORMATS = {
    "llava": read_llava,
    "llamafactory": read_llamafactory,
    "sharegpt": read_sharegpt,
    "swift": read_messages,
    "qwen": read_qwen,
    "openai": read_openai,
    "trl": read_trl,
    "imagefolder": read_imagefolder,
    "stored": read_stored,
}


def check_texts(texts):
    for i, text in enumerate(texts):
        expect(isinstance(text, str) and text.strip(), "turn %d is empty" % (i + 1))
        text.encode("utf-8")  # refuses lone surrogates
        expect("\0" not in text, "turn %d holds U+0000" % (i + 1))
        for token in MEDIA + MARKS:
            expect(token not in text, "turn %d holds %s" % (i + 1, token))


def check_image(name, folder):
    expect(isinstance(name, str) and name, "the image has no name")
    if folder is not None:
        expect(os.path.isfile(os.path.join(folder, name)), "the image %s is not there" % name)


def read_meta(name):
    """InternVL's meta file: the annotations, which it opens line by line, and the images' folder."""
    with open(name, encoding="utf-8") as file:
        datasets = json.load(file)
    expect(len(datasets) == 1, "not one data set")
    (meta,) = datasets.values()
    expect(meta["annotation"].endswith("jsonl"), "annotation must be jsonl")  # it asserts that
    expect(isinstance(meta["repeat_time"], int) and isinstance(meta["data_augment"], bool), "repeat_time, data_augment")
    with open(meta["annotation"], encoding="utf-8", newline="\n") as file:
        lines = file.readlines()
    expect(meta["length"] == len(lines), "length is %r of %d" % (meta["length"], len(lines)))
    return [line.encode() for line in lines], meta["root"]


def read_array(name):
    """As LLaVA's train.py: the whole file is one document."""
    with open(name, encoding="utf-8") as file:
        rows = json.load(file)
    expect(isinstance(rows, list), "not an array")
    return [json.dumps(row).encode() for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("file", help="JSONL, a row a line")
    parser.add_argument("--images", metavar="DIR", help="what the images' names are relative to")
    parser.add_argument("--info", metavar="FILE", help="dataset_info.json of LLaMA-Factory, with one entry")
    parser.add_argument("--array", action="store_true", help="the file is one JSON array, as LLaVA wants it")
    parser.add_argument("--meta", action="store_true", help="the file is InternVL's meta file")
    arguments = parser.parse_args()
    digest = hashlib.sha256()
    faults = rows = 0
    if arguments.info:
        with open(arguments.info, encoding="utf-8") as file:
            (entry,) = json.load(file).values()
        INFO.clear()
        INFO.update(entry)
    if arguments.meta:
        lines, arguments.images = read_meta(arguments.file)
    elif arguments.array:
        lines = read_array(arguments.file)
    else:
        with open(arguments.file, "rb") as file:
            # not splitlines(): U+2028 ends no line of JSONL
            lines = file.read().split(b"\n")
        if lines.pop():
            print("the last line does not end")
            faults += 1
    for number, raw in enumerate(lines, 1):
        rows += 1
        try:
            image, texts = FORMATS[arguments.format](json.loads(raw.decode("utf-8")))
            check_texts(texts)
            if arguments.format != "stored":
                check_image(image, arguments.images)
            digest.update(json.dumps(texts).encode())
        except (Fault, ValueError) as fault:
            faults += 1
            print("line %d: %s" % (number, fault))
    print("%d rows %s" % (rows, digest.hexdigest()))
    sys.exit(1 if faults or rows == 0 else 0)


if __name__ == "__main__":
    main()
