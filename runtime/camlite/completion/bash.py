"""Completion for bash, 3.2 of macOS and newer: it needs no other package."""

from __future__ import annotations

from camlite.completion.tree import CommandLine, Option, Tree

# Words with `=` in them come as three: --maps = sharp. Where nothing is offered, readline offers files, or only folders
# where `compopt` says so (bash 3.2 has no `compopt`, and offers files).
_SCRIPT = """\
# Completion of camlite for bash. Made by: camlite completion bash
_camlite() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}}
    local option= options= values= arguments= folder=0 many=0 position word
    COMPREPLY=()
    if (( COMP_CWORD == 1 )); then
        COMPREPLY=( $(compgen -W "{commands} --help --version" -- "$current") )
        return
    fi
    for (( position = COMP_CWORD - 1; position > 1; position-- )); do
        word=${{COMP_WORDS[position]}}
        if [[ $word == -* ]]; then
            option=$word
            break
        fi
    done
    case $command in
{cases}
    esac
    [[ $current == "=" ]] && current=
    local away=$(( COMP_CWORD - position ))
    [[ ${{COMP_WORDS[position + 1]}} == "=" ]] && (( away-- ))
    if [[ $current != -* && -n $values ]] && (( away <= 1 || many )); then
        COMPREPLY=( $(compgen -W "$values" -- "$current") )
    elif [[ $current != -* ]] && (( folder && away <= 1 )); then
        compopt -o dirnames +o default +o bashdefault 2> /dev/null || true
    elif [[ $current == -* ]]; then
        COMPREPLY=( $(compgen -W "$options" -- "$current") )
    elif [[ -n $arguments && -z $option ]]; then
        COMPREPLY=( $(compgen -W "$arguments" -- "$current") )
    fi
}}
complete -o bashdefault -o default -F _camlite camlite
"""


def script(tree: Tree) -> str:
    """The script that a shell sources."""
    cases = "\n".join(_case(name, line) for name, line in tree.items())
    return _SCRIPT.format(commands=" ".join(tree), cases=cases)


def _case(name: str, line: CommandLine) -> str:
    names = " ".join(word for option in line.options for word in option.names)
    arguments = f"\n            arguments='{' '.join(line.choices)}'" if line.choices else ""
    values = "".join(_values(option) for option in line.options if option.choices or option.folder)
    inner = f"\n            case $option in{values}\n            esac" if values else ""
    return f"        {name})\n            options='{names}'{arguments}{inner}\n            ;;"


def _values(option: Option) -> str:
    if option.folder:
        return f"\n                {'|'.join(option.names)}) folder=1 ;;"
    many = int(option.values == "many")
    return f"\n                {'|'.join(option.names)}) values='{' '.join(option.choices)}' many={many} ;;"
