"""What each file in gin/papers must build, by its source.

Sources: the papers' text (sections as said) and the authors' published code:
disentanglement_lib (methods/shared/architectures.py, config/unsupervised_study_v1),
crslab/CHyVAE (code/models.py), iffsid/disentangling-disentanglement (src/models,
experimental_settings), rtqichen/beta-tcvae (vae_quant.py), Schlumberger/joint-vae
(jointvae/models.py, main.py), openai/InfoGAN (launchers, infogan/models).
"""

import dataclasses

HELD_OUT = "2,000 images are held out"
STUDY = (HELD_OUT, "on dSprites alone of the study's seven sets")


@dataclasses.dataclass(frozen=True)
class Adam:
    rate: float
    epsilon: float = 1e-7
    betas: tuple = (0.9, 0.999)
    amsgrad: bool = False


@dataclasses.dataclass(frozen=True)
class Paper:
    """One file. `settings` are bindings by name; `parts` the classes that are built."""

    source: str
    data: str
    shape: tuple
    steps: int
    batch: int
    adam: Adam
    encoder: list
    decoder: list
    latents: str
    prior: str
    objective: str
    settings: dict = dataclasses.field(default_factory=dict)
    initializer: str = "GlorotUniform"
    likelihood: str = "Bernoulli"
    critic: list = None
    critic_adam: Adam = None
    metrics: tuple = ("factor_vae",)
    differences: tuple = (HELD_OUT,)


def conv(filters, side=4, act="relu"):
    return f"conv {filters} {side}x{side}/2 same {act}"


def up(filters, act="relu"):
    return f"transposed {filters} 4x4/2 same {act}"


def dense(*units, act="relu"):
    return [f"dense {n} {act}" for n in units]


def heads(*units):
    return [f"head {n} linear" for n in units]


CONVS = [conv(32), conv(32), conv(64), conv(64)]


def encoder(width, *sizes, convs=CONVS):
    return [*convs, *dense(width), *heads(*sizes)]


def decoder(width, channels=1, ups=(64, 32, 32)):
    layers = [*dense(width, 1024), "reshape 4 x 4 x 64", *map(up, ups)]
    return [*layers, up(channels, "linear")]


SPRITES = {"data": "DSprites", "shape": (64, 64, 1)}
MNIST = {"data": "mnist", "shape": (32, 32, 1)}
FASHION = {"data": "fashion_mnist", "shape": (32, 32, 1)}
CHAIRS = {"data": "chairs3d", "shape": (64, 64, 1)}
FACES = {"data": "celeb_a", "shape": (64, 64, 3)}
TEN = {"latents": "GaussianLatents", "prior": "StandardNormalPrior"}
KIM_CRITIC = [*dense(*[1000] * 6, act="leaky_relu 0.2"), *heads(1)]
CRITIC_ADAM = Adam(1e-4, betas=(0.5, 0.9))

# ---- Locatello et al. (2019): architectures.py (conv_encoder, deconv_decoder).

LOCATELLO = dict(
    SPRITES,
    **TEN,
    source="arXiv:1811.12359; disentanglement_lib, shared.gin, architectures.py",
    steps=300_000,
    batch=64,
    adam=Adam(1e-4, 1e-8),
    encoder=[conv(32), conv(32), conv(64, 2), conv(64, 2), *dense(256), *heads(10, 10)],
    decoder=decoder(256),
    differences=STUDY,
)


def study(objective, **more):
    settings = {
        "train.with_replacement": True,
        "GaussianLatents.num_latents": 10,
        "GaussianLatents.covariance": "diagonal",
        "factor_vae_score.protocol": "dlib",
        **more.pop("settings"),
    }
    return Paper(**(LOCATELLO | {"objective": objective, "settings": settings} | more))


# ---- Kim & Mnih (first version, 2017; 2018).

NO_SHAPE = ["scale", "orientation", "x", "y"]
KIM = dict(
    SPRITES,
    **TEN,
    source="Kim & Mnih (2017), section 6, footnote 1; widths of Higgins et al. (2017)",
    steps=300_000,
    batch=64,
    adam=Adam(1e-4),
    encoder=encoder(256, 20),
    decoder=decoder(256),
    metrics=("factor_vae", "beta_vae"),
    differences=(HELD_OUT, "Not stated there"),
)
KIM_SETTINGS = {
    "GaussianLatents.num_latents": 10,
    "factor_vae_score.factors": NO_SHAPE,
    "beta_vae_score.factors": NO_SHAPE,
}
FACTOR = {"critic": KIM_CRITIC, "critic_adam": CRITIC_ADAM}

# ---- Ansari & Soh (2019): models.py (TF 1's layers and Adam), main.py.

ANSARI = dict(
    SPRITES,
    source="arXiv:1809.04497; CHyVAE, models.py, main.py and README's example",
    steps=150_000,
    batch=50,
    adam=Adam(1e-4, 1e-8),
    encoder=encoder(128, 10, 100),
    decoder=decoder(128),
    latents="GaussianLatents",
    prior="InverseWishartPrior",
    objective="chyvae",
)


def chyvae(nu=200, **more):
    settings = {
        "GaussianLatents.covariance": "full",
        "GaussianLatents.num_latents": 10,
        "InverseWishartPrior.nu": nu,
        **more.pop("settings", {}),
    }
    return Paper(**(ANSARI | {"settings": settings} | more))


def wide(channels=1, difference="", **data):
    return chyvae(
        **data,
        encoder=encoder(256, 10, 100),
        decoder=decoder(256, channels),
        metrics=(),
        differences=(HELD_OUT, difference, "Steps and nu are not stated"),
    )


# ---- Wang (undated), table 2, whose transposed convolutions read as input widths.

WANG = dict(
    MNIST,
    **TEN,
    source="Wang, tables 1 and 2, section 5.1",
    steps=46_900,
    batch=64,
    adam=Adam(1e-4),
    encoder=encoder(256, 40, convs=CONVS[:3]),
    decoder=decoder(256, ups=(32, 32)),
    metrics=(),
    differences=(HELD_OUT, "Not stated there"),
)
WANG_RAMP = {
    "LinearSchedule.start": 0.0,
    "LinearSchedule.end": 25.0,
    "LinearSchedule.steps": 23450,
    "GaussianLatents.num_latents": 20,
}

# ---- Mathieu et al. (2019): src/models/vae_*.py, src/experimental_settings/*.sh.

MATHIEU = dict(
    SPRITES,
    source="arXiv:1812.02833; independance.sh, vae_dsprites.py, metrics.py, main.py",
    steps=230_400,
    batch=64,
    adam=Adam(5e-4, 1e-8, amsgrad=True),
    encoder=[*CONVS, *dense(128, act="linear"), *heads(20)],
    decoder=decoder(128, ups=(64, 64, 32)),
    initializer="VarianceScaling",
    latents="GaussianLatents",
    prior="NormalPrior",
    objective="decomposition_vae",
)


def mathieu(differences=(), settings=None, **more):
    own = {
        "decomposition_vae.alpha": 0.0,
        "decomposition_vae.beta": 1.0,
        "GaussianLatents.num_latents": 10,
        **({} if "metrics" in more else {"factor_vae_score.protocol": "decomposition"}),
        **(settings or {}),
    }
    if more.get("data") != "Pinwheel":
        differences = (HELD_OUT, *differences)
    return Paper(**(MATHIEU | {"settings": own, "differences": differences} | more))


def pinwheel(alpha, beta):
    return mathieu(
        source="arXiv:1812.02833, figure 3; clustering.sh, vae_pinwheel.py",
        data="Pinwheel",
        shape=(1, 1, 2),
        steps=500,
        batch=400,
        adam=Adam(1e-3, 1e-8, amsgrad=True),
        encoder=["dense 100 relu", *heads(4)],
        decoder=["dense 100 relu", *heads(4), "reshape 1 x 1 x 4"],
        likelihood="Normal",
        prior="NormalMixturePrior",
        metrics=(),
        differences=("softplus + 1e-6",),
        settings={
            "decomposition_vae.alpha": alpha,
            "decomposition_vae.beta": beta,
            "decomposition_vae.divergence": "kl",
            "GaussianLatents.num_latents": 2,
            "NormalMixturePrior.variances": 0.03,
        },
    )


def bare(filters, act="linear", kind="conv", to="2 same"):
    return f"{kind} {filters} 4x4/{to} {act}, no bias"


LEAKY = "leaky_relu 0.2"
DCGAN_ENCODER = [
    bare(32, LEAKY),
    *(bare(64), "batch norm", "leaky_relu 0.2"),
    *(bare(128), "batch norm", "leaky_relu 0.2"),
    "conv 100 4x4/1 valid linear",
]
DCGAN_DECODER = [
    "reshape 1 x 1 x 50",
    *(bare(128, kind="transposed", to="1 valid"), "batch norm", "relu"),
    *(bare(64, kind="transposed"), "batch norm", "relu"),
    *(bare(32, kind="transposed"), "batch norm", "relu"),
    bare(1, kind="transposed"),
]

# ---- Chen et al. (2016): appendix C.1, run_mnist_exp.py, regularized_gan.py.

INFOGAN_TRUNK = [
    *(conv(64, act="linear"), "leaky_relu 0.1"),
    *(conv(128, act="linear"), "batch norm", "leaky_relu 0.1"),
    *(*dense(1024, act="linear"), "batch norm", "leaky_relu 0.1"),
]
INFOGAN = dict(
    MNIST,
    latents="JointLatents",
    prior="JointPrior",
    metrics=(),
    likelihood=None,
)
CODES = {
    "build_infogan.num_noise": 62,
    "GaussianLatents.num_latents": 2,
    "GaussianLatents.covariance": "identity",
    "CategoricalLatents.sizes": [10],
}

# ---- Dupont (2018): appendices B and C; jointvae/models.py (32, 64, 64 at 32 x 32).

CODE_CONVS = [conv(32), conv(64), conv(64)]
DUPONT = dict(
    MNIST,
    source="arXiv:1804.00104, appendices B and C; jointvae/models.py, main.py",
    steps=93_800,
    batch=64,
    adam=Adam(5e-4, 1e-8),
    encoder=encoder(256, 30, convs=CODE_CONVS),
    decoder=decoder(256, ups=(32, 32)),
    initializer="VarianceScaling",
    latents="JointLatents",
    prior="JointPrior",
    metrics=(),
)


def dupont(objective="joint_vae", **more):
    settings = {"CategoricalLatents.temperature": 0.67, **more.pop("settings", {})}
    return Paper(**(DUPONT | {"objective": objective, "settings": settings} | more))


def capacities(gamma, continuous, discrete, steps, sizes=(10,), latents=10):
    return {
        "joint_vae.gamma": gamma,
        "continuous/LinearSchedule.end": continuous,
        "discrete/LinearSchedule.end": discrete,
        "LinearSchedule.start": 0.0,
        "LinearSchedule.steps": steps,
        "GaussianLatents.num_latents": latents,
        "CategoricalLatents.sizes": list(sizes),
    }


CONTINUOUS = {
    **TEN,
    "encoder": encoder(256, 20, convs=CODE_CONVS),
    "settings": {"GaussianLatents.num_latents": 10},
}


def continuous(objective, **settings):
    own = {**CONTINUOUS["settings"], **settings}
    return Paper(**(DUPONT | CONTINUOUS | {"objective": objective, "settings": own}))


PAPERS = {
    "annealed_vae_study": study(
        "annealed_vae",
        settings={
            "annealed_vae.gamma": 1000.0,
            "LinearSchedule.end": 25.0,
            "LinearSchedule.steps": 100_000,
        },
    ),
    "beta_vae_study": study("beta_vae", settings={"beta_vae.beta": 4.0}),
    "beta_tcvae_study": study(
        "beta_tcvae",
        # vae.py, BetaTCVAE: kl_loss + (beta - 1) total_correlation at beta 6.
        settings={
            "WeightedKL.beta": 1.0,
            "TotalCorrelation.weight": 5.0,
            "TotalCorrelation.estimator": "weighted",
        },
        differences=(*STUDY, "no gradient sees"),
    ),
    "dip_vae_i_study": study("dip_vae_i", settings={"dip_vae_i.lambda_od": 10.0}),
    "dip_vae_ii_study": study("dip_vae_ii", settings={"dip_vae_ii.lambda_od": 10.0}),
    "factor_vae_study": study(
        "factor_vae",
        # vae.py, FactorVAE.model_fn: both minimize calls count the global step.
        steps=150_000,
        settings={
            "factor_vae.gamma": 30.0,
            "CriticTraining.updates": 1,
            "CriticTraining.second_batch": False,
        },
        critic=KIM_CRITIC,
        critic_adam=Adam(1e-4, 1e-8, (0.5, 0.9)),
        differences=(*STUDY, "the critic has one logit where the study's has two"),
    ),
    "beta_vae_kim_2017": Paper(
        **KIM, objective="beta_vae", settings={**KIM_SETTINGS, "beta_vae.beta": 7.0}
    ),
    "factor_vae_kim_2017": Paper(
        **KIM,
        **FACTOR,
        objective="factor_vae",
        settings={
            **KIM_SETTINGS,
            "factor_vae.gamma": 35.0,
            "CriticTraining.updates": 5,
            "CriticTraining.second_batch": False,
        },
    ),
    "factor_vae_kim_2018": Paper(
        **(
            KIM
            | {
                "source": "arXiv:1802.05983, algorithm 2 and the appendix",
                "encoder": encoder(128, 10, 10),
                "decoder": decoder(128),
                "differences": (HELD_OUT, "epsilon is not stated"),
            }
        ),
        **FACTOR,
        objective="factor_vae",
        settings={
            **KIM_SETTINGS,
            "factor_vae.gamma": 35.0,
            "CriticTraining.updates": 1,
            "CriticTraining.second_batch": True,
        },
    ),
    "beta_tcvae_chen": Paper(
        **SPRITES,
        **TEN,
        source="arXiv:1802.04942; vae_quant.py: MLPEncoder, MLPDecoder, defaults",
        steps=18_000,
        batch=2048,
        adam=Adam(1e-3, 1e-8),
        encoder=[*dense(1200, 1200), *heads(20)],
        decoder=[
            *dense(1200, 1200, 1200, act="tanh"),
            *heads(4096),
            "reshape 64 x 64 x 1",
        ],
        initializer="VarianceScaling",
        objective="beta_tcvae",
        settings={
            "beta_tcvae.beta": 6.0,
            "beta_tcvae.alpha": 1.0,
            "beta_tcvae.gamma": 1.0,
            "beta_tcvae.estimator": "weighted",
        },
        metrics=("mig", "factor_vae"),
        differences=(HELD_OUT, "there exp(o)", "the paper scores by MIG"),
    ),
    "chyvae_correlated_ellipses": chyvae(data="CorrelatedEllipses"),
    "chyvae_dsprites": chyvae(differences=(HELD_OUT, "are not stated: 150,000")),
    "chyvae_dsprites_continuous": chyvae(
        settings={"factor_vae_score.factors": NO_SHAPE}
    ),
    "chyvae_nu_13000": chyvae(13000),
    "chyvae_celeb_a": wide(3, "the crop is 148 x 148", **FACES),
    "chyvae_chairs": wide(1, "the paper's are RGB", **CHAIRS),
    "chyvae_faces": wide(1, "the images are yours", data="faces3d"),
    "cfactor_vae_mnist": Paper(
        **WANG,
        **FACTOR,
        objective="cfactor_vae",
        settings={**WANG_RAMP, "cfactor_vae.gamma": 35.0},
    ),
    "cfactor_vae_mnist_cvae": Paper(
        **WANG,
        objective="annealed_vae",
        settings={**WANG_RAMP, "annealed_vae.gamma": 1.0},
    ),
    "cfactor_vae_mnist_fvae": Paper(
        **WANG,
        **FACTOR,
        objective="factor_vae",
        settings={"factor_vae.gamma": 35.0, "GaussianLatents.num_latents": 20},
    ),
    "cfactor_vae_chairs": Paper(
        **(
            WANG
            | CHAIRS
            | {
                "source": "Wang, section 5.1 and figure 2",
                "steps": 67_400,
                "encoder": encoder(256, 40),
                "decoder": decoder(256),
                "differences": (HELD_OUT, "cropped to 400 x 400"),
            }
        ),
        **FACTOR,
        objective="cfactor_vae",
        settings={**WANG_RAMP, "LinearSchedule.steps": 33700},
    ),
    "decomposition_isotropic": mathieu(("no 1e-6 is added", "with replacement")),
    "decomposition_pca": mathieu(
        ("20th to the 11th", "of 2,000 images, there of all"),
        settings={"principal_shares.centred": False},
    ),
    "decomposition_pca_learned": mathieu(
        ("the axes where the variances start",),
        settings={"NormalPrior.trainable": True},
    ),
    "decomposition_student_t": mathieu(
        prior="StudentTProductPrior",
        settings={
            "StudentTProductPrior.df": 9.0,
            "factor_vae_score.student_t_df": 9.0,
        },
    ),
    "decomposition_pinwheel_alpha": pinwheel(1.0, 0.0),
    "decomposition_pinwheel_beta": pinwheel(0.0, 1.0),
    "decomposition_sparse": mathieu(
        ("there softplus(o) + 1e-6", "not clamped"),
        **FASHION,
        source="arXiv:1812.02833, figure 4; sparsity.sh, vae_fashion_mnist.py",
        steps=9_600,
        batch=500,
        encoder=DCGAN_ENCODER,
        decoder=DCGAN_DECODER,
        initializer="RandomNormal",
        likelihood="Laplace",
        prior="SparsePrior",
        metrics=("hoyer_sparsity",),
        settings={
            "Laplace.scale": 0.1,
            "decomposition_vae.alpha": 100.0,
            "decomposition_vae.divergence": "mmd",
            "SparsePrior.gamma": 0.8,
            "GaussianLatents.num_latents": 50,
        },
    ),
    "infogan_mnist": Paper(
        **INFOGAN,
        source="arXiv:1606.03657, appendix C.1; run_mnist_exp.py, regularized_gan.py",
        steps=5_000,
        batch=128,
        adam=Adam(1e-3, 1e-8, (0.5, 0.999)),
        critic_adam=Adam(2e-4, 1e-8, (0.5, 0.999)),
        encoder=[
            *INFOGAN_TRUNK,
            *(*dense(128, act="linear"), "batch norm", "leaky_relu 0.1"),
            *heads(12),
        ],
        critic=[*INFOGAN_TRUNK, *heads(1)],
        decoder=[
            *(*dense(1024, act="linear"), "batch norm", "relu"),
            *(*dense(8 * 8 * 128, act="linear"), "batch norm", "relu"),
            "reshape 8 x 8 x 128",
            *(up(64, "linear"), "batch norm", "relu"),
            up(1, "linear"),
        ],
        initializer="RandomNormal",
        objective="infogan",
        settings={**CODES, "infogan.weight": 1.0, "CriticTraining.updates": 1},
        differences=(HELD_OUT, "there 28 x 28", "noise is normal", "real images alone"),
    ),
    "infowgan_gp_mnist": Paper(
        **INFOGAN,
        source="arXiv:1704.00028, algorithm 1; the codes as infogan_mnist",
        steps=20_000,
        batch=64,
        adam=Adam(1e-4, 1e-8, (0.5, 0.9)),
        critic_adam=Adam(1e-4, 1e-8, (0.5, 0.9)),
        encoder=encoder(256, 12, convs=CONVS[:3]),
        critic=[
            *(conv(n, act=LEAKY) for n in (32, 32, 64)),
            *dense(256, act=LEAKY),
            *heads(1),
        ],
        decoder=[
            *(*dense(256, act="linear"), "batch norm", "relu"),
            *(*dense(1024, act="linear"), "batch norm", "relu"),
            "reshape 4 x 4 x 64",
            *(up(32, "linear"), "batch norm", "relu") * 2,
            up(1, "linear"),
        ],
        objective="infowgan_gp",
        settings={
            **CODES,
            "infowgan_gp.weight": 1.0,
            "infowgan_gp.penalty": 10.0,
            "CriticTraining.updates": 5,
        },
        differences=(HELD_OUT, "share no layers", "the noise is normal"),
    ),
    "joint_vae_mnist": dupont(settings=capacities(30.0, 5.0, 5.0, 25_000)),
    "joint_vae_fashion_mnist": dupont(
        **FASHION, settings=capacities(100.0, 5.0, 10.0, 50_000)
    ),
    "joint_vae_chairs": dupont(
        **CHAIRS,
        steps=135_000,
        adam=Adam(1e-4, 1e-8),
        encoder=encoder(256, 70),
        decoder=decoder(256),
        settings=capacities(300.0, 30.0, 5.0, 100_000, (2, 2, 2), 32),
        differences=(HELD_OUT, "the crop is 400 x 400"),
    ),
    "joint_vae_celeba": dupont(
        # gamma 100 beside a mean over three channels (training.py, _loss_function).
        **FACES,
        steps=316_600,
        encoder=encoder(256, 74),
        decoder=decoder(256, 3),
        settings=capacities(300.0, 50.0, 10.0, 100_000, (10,), 32),
        differences=(HELD_OUT, "the crop is 148 x 148"),
    ),
    "joint_vae_dsprites": dupont(
        **SPRITES,
        steps=345_600,
        encoder=encoder(256, 15),
        decoder=decoder(256),
        settings=capacities(150.0, 40.0, 1.1, 300_000, (3,), 6),
        metrics=("factor_vae",),
        differences=(HELD_OUT, "protocol of its score is not stated"),
    ),
    "joint_vae_mnist_beta_vae": continuous("beta_vae", **{"beta_vae.beta": 4.0}),
    "joint_vae_mnist_cc_beta_vae": continuous(
        "annealed_vae",
        **{
            "annealed_vae.gamma": 30.0,
            "LinearSchedule.end": 7.3,
            "LinearSchedule.steps": 25_000,
        },
    ),
    "joint_vae_relaxed_kl": dupont(settings={"CategoricalLatents.kl": "relaxed"}),
    "joint_vae_same_loss": dupont("beta_vae", settings={"beta_vae.beta": 4.0}),
    "joint_vae_two_betas": dupont(
        "two_betas",
        settings={"WeightedGroups.beta": 8.0, "WeightedGroups.discrete_beta": 1.0},
    ),
}
