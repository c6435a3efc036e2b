"""Prints a script that lets bash complete commands, options and their choices.

tf_disentangle completion >> ~/.bash_completion
"""

from __future__ import annotations

import importlib

from absl import flags

FLAGS = flags.FlagValues()

_SCRIPT = """\
_tf_disentangle() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} options
    case ${{COMP_WORDS[1]}} in
{cases}
    *) options="{commands}" ;;
    esac
    [ "$COMP_CWORD" = 1 ] && options="{commands}"
    COMPREPLY=($(compgen -W "$options" -- "$word") $(compgen -f -- "$word"))
}}
complete -o nospace -F _tf_disentangle tf_disentangle
"""


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    from tf_disentangle.cli.main import COMMANDS

    cases = []
    for name in COMMANDS:
        command = importlib.import_module(f"tf_disentangle.cli.{name}")
        known = [
            f"--{o}" + "=" * (not _is_switch(command.FLAGS[o])) for o in command.FLAGS
        ]
        cases.append(f'    {name}) options="{" ".join(sorted([*known, "--help"]))}" ;;')
    print(_SCRIPT.format(cases="\n".join(cases), commands=" ".join(COMMANDS)), end="")
    return 0


def _is_switch(flag: flags.Flag) -> bool:
    return flag.flag_type() == "bool"
