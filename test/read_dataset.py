#!/usr/bin/python3
"""Reads an export as the trainer of its format does and tells what it would choke on.

Written apart from the extension, with a JSON parser only. The rules are the trainers'
own: LLaMA-Factory's mm_plugin and converter, ms-swift's and Qwen's dataset formats,
LLaVA's train.py, OpenAI's vision fine-tuning, the imagefolder of Hugging Face datasets.
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


FORMATS = {
    "llava": read_llava,
    "llamafactory": read_messages,
    "swift": read_messages,
    "qwen": read_qwen,
    "openai": read_openai,
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("file", help="JSONL, a row a line")
    parser.add_argument("--images", metavar="DIR", help="what the images' names are relative to")
    arguments = parser.parse_args()
    with open(arguments.file, "rb") as file:
        data = file.read()
    digest = hashlib.sha256()
    faults = rows = 0
    if data and not data.endswith(b"\n"):
        print("the last line does not end")
        faults += 1
    # not splitlines(): U+2028 ends no line of JSONL
    for number, raw in enumerate(data.split(b"\n")[:-1], 1):
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
