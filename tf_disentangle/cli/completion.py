"""Prints a script that lets TAB complete commands, options, models and pages.

tf_disentangle completion bash >> ~/.bash_completion       bash, from the next shell on
tf_disentangle completion zsh >> ~/.zshrc                  zsh, from the next shell on
eval "$(bin/completion)"                                   this bash, in a checkout
"""

from __future__ import annotations

import importlib

from absl import flags

FLAGS = flags.FlagValues()
POSITIONAL = ("shell",)
flags.DEFINE_enum(
    "shell",
    None,
    ("bash", "zsh"),
    "The shell, by default bash; may be given without --shell=.",
    flag_values=FLAGS,
)

# Of a checkout's launchers the command is in their name: bin/train.
_SCRIPT = """\
_tf_disentangle() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}} rest at=2 options
    case "${{COMP_WORDS[0]}}" in
    *bin/tf_disentangle) ;;
    *bin/*) command=${{COMP_WORDS[0]##*/}} at=1 ;;
    esac
    rest=${{COMP_WORDS[at]}}
    case "$command $rest " in
{cases}
    *) options="{commands}" ;;
    esac
    [ "$COMP_CWORD" -lt "$at" ] && options="{commands}"
    # bash takes = and : for words of their own: a file or a model's name follows.
    case "${{COMP_WORDS[COMP_CWORD - 1]}} $word" in
    "= "* | *" =") options="" word=${{word#=}} ;;
    ": "* | *" :") options="{models}" word=${{word#:}} ;;
    esac
    COMPREPLY=($(compgen -W "$options" -- "$word") $(compgen -f -- "$word"))
}}
complete -o nospace -F _tf_disentangle tf_disentangle {launchers}
"""
# zsh runs bash's script by a module of its own.
_ZSH = """\
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
"""


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    from tf_disentangle import store
    from tf_disentangle.cli import pages
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
        if "run" in command.FLAGS and "study" not in name:
            known += [f"{store.PREFIX}{model}" for model in store.shipped()]
        if name == "help":
            known += [*COMMANDS, *pages.pages()]
        options = " ".join(sorted([*known, "--help"]))
        cases.append(f'    "{name} "*) options="{options}" ;;')
    script = _SCRIPT.format(
        models=" ".join(store.shipped()),
        cases="\n".join(cases),
        commands=" ".join(COMMANDS),
        launchers=" ".join(f"bin/{name}" for name in COMMANDS),
    )
    print(_ZSH * (values.shell == "zsh") + script, end="")
    return 0


def _is_switch(flag: flags.Flag) -> bool:
    return flag.flag_type() == "bool"
