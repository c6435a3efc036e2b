"""Lists the parts that gin files and --gin_param can name, or describes one of them.

bin/list                              everything, by kind
bin/list priors                       one kind
bin/list store                        trained models that come with the library
bin/list beta_tcvae                   what it is, and what can be set on it
bin/list chyvae.gin                   what a gin file does: its paper, its command
bin/list store:chyvae_ellipses        a trained model's page
bin/list --gin_file=mine.gin          also the parts of modules that mine.gin imports
"""

from __future__ import annotations

import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from absl import flags

from tf_disentangle import checks, configuration, datasets, store
from tf_disentangle.cli import kept_listing, pages, startup

FLAGS = flags.FlagValues()
POSITIONAL = ("name",)
flags.DEFINE_string(
    "name",
    None,
    "A part, a kind of parts, a gin file or store:MODEL; may be given without --name=.",
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "gin_file",
    [],
    "A gin file; parts of modules that it imports are listed too.",
    flag_values=FLAGS,
)

#: How a gin file takes a part of each kind.
USE = {
    "models": "train.model = @{}",
    "objectives": "build_vae.objective = @{}()",
    "adversarial objectives": "build_infogan.objective = @{}()",
    "GAN losses": "AdversarialObjective.gan_loss = @{}()",
    "KL terms": "Objective.kl_term = @{}()",
    "penalties": "Objective.penalties = [@{}()]",
    "schedules": "beta_vae.beta = @{}()",
    "likelihoods": "elbo.likelihood = @{}()",
    "latents": "build_vae.latents = @{}()",
    "priors": "GaussianLatents.prior = @{}()",
    "variances of priors": "NormalPrior.proportions = @{}()",
    "views of images": "InvariantCategories.views = @{}()",
    "encoders": "build_vae.encoder = @{}",
    "decoders": "build_vae.decoder = @{}",
    "critics": "build_vae.critic = @{}",
    "data sets": "train.data = @{}()",
    "metrics": "train.metrics = ['{}']",
    "optimizers": "train.optimizer = @{}",
    "learning rate schedules": "Adam.learning_rate = @{}()",
    "callbacks": "train.callbacks = [@{}()]",
}
#: Parts that gin takes in another way than their kind.
USE_OF = {
    "infogan_pair": "build_infogan.encoder = @{}",
    "infogan_encoder": "build_infogan.encoder = @{}",
    "infogan_critic": "build_infogan.critic = @{}",
}
#: The page of the guide on each kind.
PAGES = {
    "runs": "resume_and_reproduce",
    "studies": "studies",
    "models": "which_model",
    "objectives": "which_model",
    "adversarial objectives": "which_model",
    "KL terms": "own_objective",
    "penalties": "own_objective",
    "latents": "free_combination",
    "priors": "free_combination",
    "likelihoods": "your_own_parts",
    "encoders": "your_own_parts",
    "decoders": "your_own_parts",
    "critics": "your_own_parts",
    "data sets": "datasets",
    "metrics": "which_metric",
}
_USERS = "parts of your modules"
_ENTRY = re.compile(r"^ {2,4}\*{0,2}(\w+)(?: \([^)]*\))?: *(.*)")


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    name = values.name
    if page := name and _page_of(name):
        print(page)
        return 0
    startup.require_tensorflow_backend()
    # What stays the same from call to call is kept, since TensorFlow takes seconds.
    state = kept_listing.state()
    known = kept_listing.read(state) if not values.gin_file else None
    if known is None:
        known = _listing(values.gin_file)
        if _USERS not in known["kinds"]:
            kept_listing.write(known, state)
    if name is None:
        print(*known["kinds"].values(), sep="\n")
        root = configuration.gin_root()
        folders = [root, root / "papers", root / "studies"]
        print(*map(_gin_files, folders), _models(), sep="\n")
    else:
        print(*_found(name, known), sep="\n\n\n")
    return 0


def _page_of(name: str) -> str | None:
    """Returns what there is to say of a name without TensorFlow; None for a part."""
    if name == "store":
        return _models()
    if name.startswith(store.PREFIX):
        return _model(name)
    if name.endswith(".gin"):
        return _gin_file(name)
    return _published(name) if name in datasets.SETS else None


def _found(name: str, known: kept_listing.Listing) -> list[str]:
    """Returns the table of a kind, or the descriptions of the parts of this name."""
    short = {re.sub("_scores?$", "", name): name for name in known["metrics"]}
    # A metric's short name may also be the name of a part, such as beta_vae.
    both = dict.fromkeys([name, short.get(name, name)])
    if found := [part for part in both if part in known["parts"]]:
        return [known["parts"][part] for part in found]
    kinds = {_as_one_word(kind): kind for kind in known["kinds"]}
    if kind := kinds.get(_as_one_word(name)):
        return [known["kinds"][kind]]
    # FactorVAE is factor_vae, and nearer to it than to Adafactor.
    alike = [p for p in known["parts"] if _as_one_word(p) == _as_one_word(name)]
    names = {*known["parts"], *short, *_others(known)}
    remedy = checks.suggestion(alike[0] if alike else name, alike or names)
    remedy = remedy or "tf_disentangle list shows them."
    rule = "be a part, a kind of parts, a gin file or store:MODEL"
    raise checks.ArgumentError(checks.message("NAME", rule, name, remedy))


def _as_one_word(kind: str) -> str:
    """Returns a kind's name as it is compared: data_sets and dataset are one."""
    word = re.sub("[ _-]", "", kind).lower()
    return re.sub("(ies|y|(?<=ss)es|(?<!s)s)$", "", word)


def _others(known: kept_listing.Listing) -> Iterator[str]:
    """Yields all that can be listed by name and is not a part."""
    yield from ("store", *datasets.SETS)
    yield from (kind.replace(" ", "_") for kind in known["kinds"])
    yield from (f"{store.PREFIX}{model}" for model in store.shipped())
    root = configuration.gin_root()
    for pattern in ("*.gin", "papers/*.gin", "studies/*.gin"):
        yield from (path.relative_to(root).as_posix() for path in root.glob(pattern))


def _listing(gin_files: Sequence[str]) -> kept_listing.Listing:
    """Returns all that can be named, and by these files' imports; takes TensorFlow."""
    startup.import_tensorflow()
    import tf_disentangle
    from tf_disentangle import registry

    configuration.parse(gin_files)
    tables = {**registry.PARTS, "studies": {"study": tf_disentangle.study}}
    if users := configuration.users_parts():
        tables[_USERS] = users
    return {
        "kinds": {kind: _table(kind, table) for kind, table in tables.items()},
        "parts": {
            name: description(name, kind, part)
            for kind, table in tables.items()
            for name, part in table.items()
        },
        "metrics": list(tables["metrics"]),
    }


def _table(kind: str, table: Mapping[str, Callable[..., Any]]) -> str:
    """Returns the names of a kind with the first lines of what they are."""
    rows = [
        f"  {name:24} {(inspect.getdoc(part) or '').split(chr(10))[0]}"
        for name, part in sorted(table.items())
    ]
    return "\n".join([kind[0].upper() + kind[1:], *rows])


def _models() -> str:
    """Returns the published models that come with the library."""
    rows = [
        f"  {store.PREFIX}{name}\n{textwrap.indent(textwrap.fill(text, 80), '      ')}"
        for name, text in store.shipped().items()
    ]
    head = "Trained models, for whatever takes a RUN: bin/explore store:NAME"
    return "\n".join([pages.as_typed(head), *rows])


def _model(name: str) -> str:
    """Returns a trained model's page, without the front matter that a hub reads."""
    text = (store.locate(name) / "README.md").read_text(encoding="utf-8")
    page = text.split("\n---\n", 1)[-1].strip()
    here = f"Here the folder is {name}, as in bin/explore {name}."
    return f"{page}\n\n{pages.as_typed(here)}"


def _gin_file(name: str) -> str:
    """Returns the comment at the head of a gin file, and where the file is."""
    source = configuration.named_file(name)
    lines = configuration.text_of(source).lstrip().splitlines()
    head = itertools.takewhile(lambda line: line.startswith("#"), lines)
    comment = [line.removeprefix("#").removeprefix(" ") for line in head]
    shown = pages.as_typed("\n".join(comment))
    return f"{shown}\n\nFile:     {source.path}".strip()


def _published(name: str) -> str:
    """Returns how a published data set is had."""
    lines = [
        f"{name} (published data sets)",
        "",
        f"In a gin file:  train.data = @published()  and  published.name = '{name}'",
        f"In Python:      tf_disentangle.datasets.published('{name}')",
        "",
        f"What it is:  bin/data info {name}",
        f"Prepare it:  bin/data prepare {name}",
        "",
        "The guide:  tf_disentangle help datasets",
    ]
    return pages.as_typed("\n".join(lines))


def _gin_files(root: Any) -> str:
    rows = [
        f"  {file.name:24} {file.read_text(encoding='utf-8').splitlines()[0][2:]}"
        for file in sorted(root.glob("*.gin"))
    ]
    return "\n".join([f"Gin files in {root}", *rows])


def gin_line(name: str, kind: str) -> str:
    """Returns how a gin file takes a part of this kind."""
    return USE_OF.get(name, USE[kind]).format(name)


def description(name: str, kind: str, part: Callable[..., Any]) -> str:
    """Returns what a part is, how gin takes it, and what can be bound to it.

    Args:
        name: The name that gin files use.
        kind: Its kind.
        part: The class or function.
    """
    from tf_disentangle import configuration, registry

    paragraph = (inspect.getdoc(part) or "").split("\n\n")[0]
    lines = [f"{name} ({kind})", "", textwrap.indent(paragraph, "  "), ""]
    if kind in USE:
        lines += [f"In a gin file:  {gin_line(name, kind)}"]
    if place := in_python(name, part):
        lines += [f"In Python:      {place}"]
    parameters, documented = configuration.parameters(part), arguments_of(part)
    by_library = [k for k in parameters if k in registry.SUPPLIED.get(kind, ())]
    bindable = {k: p for k, p in parameters.items() if k not in by_library}
    if bindable:
        lines += ["", f"Parameters, bound as {name}.PARAMETER = VALUE:"]
    width = max(map(len, bindable), default=0) + 2
    for parameter, signature in bindable.items():
        head = f"  {parameter:{width}}{_default(signature)}"
        text = documented.get(parameter, "")
        if len(head) + len(text) < 86:
            lines.append(f"{head}  {text}")
        else:
            folded = textwrap.fill(text, 86 - width)
            lines += [head, textwrap.indent(folded, " " * (width + 2))]
    if by_library:
        lines += ["", f"Set by the library: {', '.join(by_library)}."]
    if shown := example(name, kind, bindable):
        shown = pages.as_typed(shown).replace(" --gin_param", " \\\n      --gin_param")
        lines += ["", f"Try it:\n\n  {shown}"]
    if kind in PAGES:
        lines += ["", f"The guide:  tf_disentangle help {PAGES[kind]}"]
    return "\n".join(lines)


def in_python(name: str, part: Callable[..., Any]) -> str:
    """Returns where Python code finds a part of the library, "" for others' parts."""
    import tf_disentangle

    package, _, rest = part.__module__.partition(".")
    subpackage = getattr(tf_disentangle, rest.split(".")[0], None)
    public = getattr(subpackage, "__all__", ()) if package == "tf_disentangle" else ()
    return f"tf_disentangle.{rest.split('.')[0]}.{name}" if name in public else ""


def example(
    name: str, kind: str, parameters: Mapping[str, inspect.Parameter]
) -> str | None:
    """Returns a command that takes a part, with one of its numbers set.

    Args:
        name: The name that gin files use.
        kind: Its kind.
        parameters: What can be bound to it.

    Returns:
        The command as it is typed in a checkout; None where no gin file of the library
        takes the part as it is.
    """
    from tf_disentangle import configuration

    numbers = [k for k, p in parameters.items() if type(p.default) in (int, float)]
    numbers = [name for name in numbers if name != "seed"]
    shown = ""
    if numbers:
        value = parameters[numbers[0]].default
        shown = f" --gin_param='{name}.{numbers[0]} = {value!r}'"
    if kind == "metrics":
        short = re.sub("_scores?$", "", name)
        return f"bin/evaluate store:chyvae_ellipses --metrics={short}{shown}"
    if kind == "runs":
        return f"bin/train --gin_file=gin/beta_vae.gin{shown}"
    for file in sorted(configuration.gin_root().glob("*.gin"), key=_plainness):
        text = re.sub("#.*", "", file.read_text(encoding="utf-8"))
        if re.search(rf"@{name}\b", text):
            return f"bin/train --gin_file=gin/{file.name}{shown}"
    empty = inspect.Parameter.empty
    is_ready = not shown and all(p.default is not empty for p in parameters.values())
    return f"bin/data sample {name}" if kind == "data sets" and is_ready else None


def _plainness(file: Any) -> tuple[int, str]:
    """Orders gin files: vae.gin and beta_vae.gin before those of more parts."""
    return len(file.name), file.name


def _default(parameter: inspect.Parameter) -> str:
    """Returns the default as one reads it."""
    if parameter.default is parameter.empty:
        return "(required)"
    name = getattr(parameter.default, "__name__", None)
    return f"= {name or repr(parameter.default)}"


def arguments_of(part: Callable[..., Any]) -> dict[str, str]:
    """Returns what the docstring says of each argument: its first sentence.

    Args:
        part: A function or class with a docstring in Google's form.
    """
    documented: dict[str, str] = {}
    for item in part.__mro__[:-1] if isinstance(part, type) else [part]:
        for doc in (item.__doc__, getattr(vars(item).get("__init__"), "__doc__", "")):
            inside, name = False, ""
            for line in inspect.cleandoc(doc or "").splitlines():
                if not line.startswith(" "):
                    inside = line in ("Args:", "Arguments:", "Attributes:")
                    continue
                entry = _ENTRY.match(line) if inside else None
                if entry:
                    name = entry[1] if entry[1] not in documented else ""
                    documented.setdefault(entry[1], entry[2])
                elif inside and name:
                    documented[name] += f" {line.strip()}"
    return {k: _first_sentence(text) for k, text in documented.items()}


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`\"])", text.strip(), maxsplit=1)[0]
