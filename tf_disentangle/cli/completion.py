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
    case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}} " in
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
    from tf_disentangle.cli.study import SUBCOMMANDS

    cases = []
    # Longer names first: bash takes the first case that fits.
    for name in [*(f"study {sub}" for sub in SUBCOMMANDS), *COMMANDS]:
        module = name.replace(" ", "_")
        command = importlib.import_module(f"tf_disentangle.cli.{module}")
        known = [
            f"--{o}" + "=" * (not _is_switch(command.FLAGS[o])) for o in command.FLAGS
        ]
        known += SUBCOMMANDS if name == "study" else ()
        options = " ".join(sorted([*known, "--help"]))
        cases.append(f'    "{name} "*) options="{options}" ;;')
    print(_SCRIPT.format(cases="\n".join(cases), commands=" ".join(COMMANDS)), end="")
    return 0


def _is_switch(flag: flags.Flag) -> bool:
    return flag.flag_type() == "bool"
