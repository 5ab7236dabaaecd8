"""Makes the table of repeaters from what `oncelab repeats --json` counted."""
import argparse
import json

KINDS = ["get", "put", "delete", "post", "post-key", "post-empty"]
LETTERS = {"get": "G", "put": "P", "delete": "D"}
POSTS = {"post": "POST with a body", "post-key": "POST with a key", "post-empty": "POST without a body"}
STATUSES = ["500", "502", "503", "504"]
COLUMNS = {"new": "reply lost, new connection", "reused": "reply lost, reused connection", "no-answer": "no answer"}


def counted(counts, name, columns):
    """For each column and kind of request: the most arrivals of one, how many were repeated, how many met the fault."""
    cells = {column: {kind: {"most": 0, "repeated": 0, "came": 0, "met": 0} for kind in KINDS} for column in columns}
    for request in counts["requests"]:
        parts = request["path"].split("/")[-4:]
        if len(parts) < 4 or parts[0] != name or parts[1] not in cells or parts[2] not in KINDS:
            continue
        cell = cells[parts[1]][parts[2]]
        cell["most"] = max(cell["most"], request["arrivals"])
        cell["repeated"] += request["arrivals"] > 1
        cell["came"] += 1
        cell["met"] += request["faults"] > 0
    return cells


def add(path, counts, name, title, version, tries, columns, why):
    row = {"name": name, "title": title, "version": version, "tries": int(tries), "left_out": why or None, "cells": {}}
    if not why:
        with open(counts, encoding="utf-8") as file:
            row["cells"] = counted(json.load(file), name, columns.split(","))
    with open(path, "w", encoding="utf-8") as file:
        json.dump(row, file, indent=1)


def named(kinds):
    """The names of kinds of requests, as short as can be."""
    if kinds == KINDS:
        return "all"
    posts = [POSTS[kind] for kind in kinds if kind in POSTS]
    posts = ["POST"] if len(posts) == len(POSTS) else posts
    letters = "".join(LETTERS[kind] for kind in kinds if kind in LETTERS)
    return ", ".join(([letters] if letters else []) + posts)


def how_often(figures, tries):
    """How often requests of one kind came: the most arrivals of one, and in how many of the tries, unless in all."""
    if figures["came"] < tries:
        return f"only {figures['came']} of {tries} came"
    if not figures["met"]:
        return "never met"
    if figures["most"] < 2:
        return "–"
    share = "" if figures["repeated"] == figures["met"] else f" ({figures['repeated']} of {figures['met']})"
    return f"×{figures['most']}{share}"


def cell_text(cell, tries):
    """A cell in words: which kinds of requests came how often. Those that came once are named only if all did."""
    groups = {}
    for kind in KINDS:
        groups.setdefault(how_often(cell[kind], tries), []).append(kind)
    if list(groups) in (["–"], ["never met"]):
        return next(iter(groups))
    groups.pop("–", None)
    return "; ".join(named(kinds) + ("" if how[0] == "×" else " ") + how for how, kinds in groups.items())


def row_texts(row):
    """The texts of a row's cells, by column."""
    measured = [column for column in [*COLUMNS, "429"] if column in row["cells"]]
    texts = {column: cell_text(row["cells"][column], row["tries"]) for column in measured}
    statuses = {}
    for status in STATUSES:
        if status in row["cells"]:
            statuses.setdefault(cell_text(row["cells"][status], row["tries"]), []).append(status)
    if len(statuses) > 1:
        statuses.pop("–", None)
        texts["5xx"] = "; ".join(f"{', '.join(those)}: {text}" for text, those in statuses.items())
    elif statuses:
        texts["5xx"] = next(iter(statuses))
    return texts


def tables(rows):
    """The table of repeaters, that of chains, and what was left out."""
    chains = [row for row in rows if row["name"].startswith("chain-")]
    others = [row for row in rows if row not in chains]
    parts = [markdown(part) for part in (others, chains) if not all(row["left_out"] for row in part)]
    left_out = [f"- {row['name']}: {row['left_out']}" for row in rows if row["left_out"]]
    parts += ["Left out:\n\n" + "\n".join(left_out) + "\n"] if left_out else []
    return "\n".join(parts)


def markdown(rows):
    measured = [column for column in [*COLUMNS, "5xx", "429"] if any(column in row["texts"] for row in rows)]
    lines = ["| repeater | version | " + " | ".join(COLUMNS.get(column, column) for column in measured) + " |"]
    lines.append("| :-- | :-- |" + " :-- |" * len(measured))
    for row in rows:
        if not row["left_out"]:
            cells = [row["texts"].get(column, "") for column in measured]
            lines.append(f"| {row['title']} | {row['version']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--add", nargs=8, metavar="WORD")
    parser.add_argument("--json")
    parser.add_argument("rows", nargs="*")
    arguments = parser.parse_args()
    if arguments.add:
        return add(*arguments.add)
    rows = []
    for path in arguments.rows:
        with open(path, encoding="utf-8") as file:
            read = json.load(file)
        rows += read.get("rows", [read])
    for row in rows:
        row["texts"] = row_texts(row)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            file.write(f'{{"rows": [\n{lines}\n]}}\n')
    print(tables(rows), end="")


main()
