#!/usr/bin/env python3
"""Prints the cells of the first sheet of an .xlsx as JSON, rows of text, by ECMA-376 part 1 §18.3 and with the standard
library only: an independent reader for tests. Text is inline or in the table of shared strings; numbers as written."""
import json
import sys
import zipfile
from xml.etree import ElementTree

NS = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def text_of(node):
    return "".join(part.text or "" for part in node.iter("{%s}t" % NS["m"]))


def column(reference):
    """0 for A1, 26 for AA1."""
    number = 0
    for letter in reference:
        if not letter.isalpha():
            break
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def value_of(cell, shared):
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return text_of(cell)
    value = cell.findtext("m:v", "", NS)
    return shared[int(value)] if kind == "s" else value


with zipfile.ZipFile(sys.argv[1]) as book:
    broken = book.testzip()
    if broken is not None:
        sys.exit("damaged: " + broken)
    shared = []
    if "xl/sharedStrings.xml" in book.namelist():
        table = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        shared = [text_of(entry) for entry in table.findall("m:si", NS)]
    sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))

rows = []
for row in sheet.iterfind("m:sheetData/m:row", NS):
    cells = []
    for cell in row.iterfind("m:c", NS):
        at = column(cell.get("r"))
        cells += [""] * (at + 1 - len(cells))
        cells[at] = value_of(cell, shared)
    rows.append(cells)
print(json.dumps(rows))
