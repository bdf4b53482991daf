"""Words of httpd's configuration: how httpd splits a line, and how a value is written so that it reads it back."""

import os


def checked(value, what):
    """The value as a text; ValueError if it cannot stand on one line."""
    if isinstance(value, bool):
        text = "On" if value else "Off"
    elif isinstance(value, (bytes, os.PathLike)):
        text = os.fsdecode(value)
    else:
        text = str(value)
    for character in "\n\r\0":
        if character in text:
            raise ValueError(f"{what} has {character!r} in it, which no line of httpd's configuration can have: {text!r}")
    return text


def next_word(text, start=0):
    """The first word from there on, as httpd reads it, and where the one after it may begin; None if there is none."""
    while start < len(text) and text[start].isspace():
        start += 1
    if start == len(text):
        return None, start
    mark = text[start]
    if mark not in "\"'":
        end = start
        while end < len(text) and not text[end].isspace():
            end += 1
        return text[start:end].replace("\\\\", "\\"), end
    word, at = [], start + 1
    while at < len(text) and text[at] != mark:
        if text[at] == "\\" and text[at + 1 : at + 2] in (mark, "\\"):
            at += 1
        word.append(text[at])
        at += 1
    return "".join(word), at + 1


def words(text):
    """All words of a line, as httpd reads them."""
    found, at = [], 0
    while True:
        word, at = next_word(text, at)
        if word is None:
            return found
        found.append(word)


def is_one_word(text):
    """Whether httpd reads the text as one word that ends where the text does."""
    word, end = next_word(text)
    if word is None:
        return False
    if text[0] in "\"'":
        return end == len(text)  # greater if the closing quote is missing
    return end == len(text)


def quote(text):
    """The text as one word: as it is if httpd reads it so, else in quotes."""
    text = checked(text, "a word")
    if text and text[0] not in "\"'" and "\\\\" not in text and not any(character.isspace() for character in text):
        return text
    made = ['"']
    for at, character in enumerate(text):
        # A backslash is special before a quote and before another one
        if character == '"' or (character == "\\" and text[at + 1 : at + 2] in ("", "\\", '"')):
            made.append("\\")
        made.append(character)
    made.append('"')
    return "".join(made)


def quote_if_space(s):
    """The text in quotes if it has a blank in it, and is not in quotes already."""
    return s if " " not in s or (s[0] in "\"'" and is_one_word(s)) else quote(s)


def with_slashes(text):
    """The text with slashes in place of backslashes, as paths of Windows are written for httpd; one before a quote stays."""
    return "".join("/" if character == "\\" and text[at + 1 : at + 2] not in ('"', "'") else character for at, character in enumerate(text))
