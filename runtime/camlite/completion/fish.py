"""Completion for fish: a file `camlite.fish` of a folder of completions."""

from __future__ import annotations

from camlite.completion.tree import Option, Tree

_START = """\
# Completion of camlite for fish. Made by: camlite completion fish
function __camlite_begins
    test (count (commandline -opc)) -eq 1
end
function __camlite_is
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test "$words[2]" = "$argv[1]"
end
function __camlite_in
    set -l options (string match -- '-*' (commandline -opc))
    set -q options[1]; and contains -- "$options[-1]" $argv
end
complete -c camlite -n __camlite_begins -f
"""


def script(tree: Tree) -> str:
    """The script that a shell sources."""
    lines = []
    for name, line in tree.items():
        lines.append(f"complete -c camlite -n __camlite_begins -a {name} -d {_quoted(line.summary)}")
        condition = f"complete -c camlite -n '__camlite_is {name}'"
        lines += [f"{condition} {_option(option)}" for option in line.options]
        for option in line.options:
            if option.values == "many" and option.choices:  # the second and later ones
                more = f"'__camlite_is {name}; and __camlite_in {' '.join(option.names)}'"
                lines.append(f"complete -c camlite -n {more} -f -a {_quoted(' '.join(option.choices))}")
        if line.choices:
            lines.append(f"{condition} -f -a {_quoted(' '.join(line.choices))}")
    return _START + "\n".join(lines) + "\n"


def _option(option: Option) -> str:
    words = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    if option.choices:
        words.append(f"-x -a {_quoted(' '.join(option.choices))}")
    elif option.folder:
        words.append("-x -a '(__fish_complete_directories)'")
    elif option.values != "none":
        words.append("-r")
    return " ".join([*words, f"-d {_quoted(option.help)}"])


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
