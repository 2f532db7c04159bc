"""Completion for zsh: a file `_camlite` of a folder in $fpath, or sourced after compinit."""

from __future__ import annotations

from collections.abc import Iterator

from camlite.completion.tree import CommandLine, Option, Tree

_SCRIPT = """\
#compdef camlite
# Completion of camlite for zsh. Made by: camlite completion zsh
_camlite() {{
    local -a commands
    commands=(
{commands}
    )
    if (( CURRENT == 2 )); then
        _describe -t commands command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
{cases}
    esac
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _camlite "$@"
else
    compdef _camlite camlite
fi
"""


def script(tree: Tree) -> str:
    """The script that a shell sources."""
    commands = "\n".join(f"        {_quoted(f'{name}:{line.summary}')}" for name, line in tree.items())
    return _SCRIPT.format(commands=commands, cases="\n".join(_case(name, line) for name, line in tree.items()))


def _case(name: str, line: CommandLine) -> str:
    arguments = f"({' '.join(line.choices)})" if line.choices else "_files"
    specs = [*(spec for option in line.options for spec in _specs(option)), f"*:argument:{arguments}"]
    joined = " \\\n                ".join(map(_quoted, specs))
    return f"        {name})\n            _arguments \\\n                {joined}\n            ;;"


def _specs(option: Option) -> Iterator[str]:
    """What `_arguments` is told of an option, one text for each of its names."""
    paths = "_path_files -/" if option.folder else "_files"
    takes = f"({' '.join(option.choices)})" if option.choices else paths
    values = {"none": "", "one": f":value:{takes}", "many": f":value:{takes}"}[option.values]
    if option.values == "many":
        values += f"::value:{takes}" * (max(len(option.choices), 8) - 1)
    help_ = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    for name in option.names:
        joined = "=" if option.values == "one" and name.startswith("--") else ""  # a space takes it away again
        yield f"{'*' if option.repeats else ''}{name}{joined}[{help_}]{values}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
