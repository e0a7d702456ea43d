"""Sick settings and their healthy twins of other networks and data than `_sick.SET`: no threshold was set on them."""

from bench._sick import CNN, FEW_DIGITS, FNN, LONG, LSTM, SCRATCH, both, deep, of, photos

LINEAR = ("model=linear",)
ANES, RANDHIE, DIABETES, SIX = ((*FNN, *of(name)) for name in ("anes96", "randhie", "diabetes", "six0"))
RANDHIE = (*RANDHIE, "data.limit=3000", "data.limit_eval=1000")
WIDE_CNN = ("model=cnn", "data.limit=1500", "data.limit_eval=800", "model.widths=[16,32,64]", "trainer.max_epochs=6")
GELU_CNN = (*CNN, "model.activation=gelu")
BLOBS, MOONS = ((*FNN, "data=toy", f"data.kind={kind}", "data.samples=2000") for kind in ("blobs", "moons"))
SCRATCH_SIX = ("model=scratch", *of("six1"))
SIGMOID, TANH, RESIDUAL, NORMAL = (
    "model.activation=sigmoid",
    "model.activation=tanh",
    "model.residual=true",
    "model.init=normal",
)
BATCH_NORM = "model.batchnorm=true"
CONSTANT = "scheduler=none"
SGD = "optimizer=sgd"
PROOF = (
    both("learning_rate_too_high", "scratch, MNIST", SCRATCH, ["optimizer.lr=1"]),
    both("learning_rate_too_high", "fnn with RMSprop, anes96", (*ANES, "optimizer=rmsprop"), ["optimizer.lr=1"]),
    both("learning_rate_too_high", "deep cnn, MNIST", WIDE_CNN, ["optimizer.lr=0.3"]),
    both("learning_rate_too_high", "fnn, six", (*SIX, "optimizer=adamw"), ["optimizer.lr=2"]),
    both("learning_rate_too_low", "lstm, MNIST", LSTM, ["optimizer.lr=1e-6"]),
    both("learning_rate_too_low", "fnn, randhie", RANDHIE, ["optimizer.lr=1e-7"]),
    both("learning_rate_too_low", "scratch, six", SCRATCH_SIX, ["optimizer.lr=1e-6"]),
    both("learning_rate_too_low", "gelu cnn, MNIST", GELU_CNN, ["optimizer.lr=1e-7"]),
    both("vanishing_gradients", "scratch, MNIST", SCRATCH, [deep(16, 48), SIGMOID]),
    both("vanishing_gradients", "fnn, six", SIX, [deep(14, 32), SIGMOID]),
    both("vanishing_gradients", "fnn, moons", MOONS, [deep(18, 24), SIGMOID]),
    both("vanishing_gradients", "fnn, randhie", RANDHIE, [deep(14, 32), SIGMOID]),
    both("exploding_gradients", "scratch, six", SCRATCH_SIX, [deep(45, 48), RESIDUAL]),
    both("exploding_gradients", "fnn, wine", (*FNN, *of("wine")), [deep(45, 32), RESIDUAL]),
    both("exploding_gradients", "fnn, randhie", RANDHIE, [deep(45, 48), RESIDUAL]),
    both("exploding_gradients", "fnn, blobs", BLOBS, [deep(50, 32), RESIDUAL]),
    both("dying_relu", "deep cnn, MNIST", WIDE_CNN, ["optimizer.lr=0.03"]),
    both("dying_relu", "scratch, six", SCRATCH_SIX, ["optimizer.lr=0.1"]),
    both("dying_relu", "deep fnn, MNIST", (*FNN, *FEW_DIGITS, deep(4, 128)), ["optimizer.lr=0.05"]),
    both("dying_relu", "fnn, six", SIX, ["optimizer.lr=0.3"]),
    both("dying_relu", "fnn, moons", (*MOONS, deep(4, 64)), ["optimizer.lr=0.3"]),
    both("saturated_activations", "deep cnn, MNIST", (*WIDE_CNN, TANH), ["optimizer.lr=0.05"]),
    both("saturated_activations", "fnn, six", (*SIX, TANH), ["optimizer.lr=0.3"]),
    both("saturated_activations", "scratch, six", (*SCRATCH_SIX, SIGMOID), ["optimizer.lr=0.5"]),
    both("saturated_activations", "wide fnn, MNIST", (*FNN, *FEW_DIGITS, TANH, deep(3, 256)), ["optimizer.lr=0.05"]),
    both("poor_initialization", "scratch, MNIST", (*SCRATCH, deep(6, 64)), [NORMAL]),
    both("poor_initialization", "fnn, anes96", (*ANES, deep(6, 48)), [NORMAL]),
    both("poor_initialization", "deep cnn, MNIST", (*WIDE_CNN, "model.convolutions=2"), [NORMAL]),
    both("poor_initialization", "fnn, randhie", (*RANDHIE, deep(6, 64)), [NORMAL]),
    both("poor_initialization", "scratch, six", (*SCRATCH_SIX, deep(6, 48)), [NORMAL]),
    both("poor_initialization", "fnn, moons", (*MOONS, deep(8, 32)), [NORMAL]),
    both(
        "overfitting",
        "lstm, MNIST",
        (*LSTM, "trainer.max_epochs=20"),
        ["data.limit=200"],
        ["data.limit=8000", "trainer.max_epochs=5"],
    ),
    both("overfitting", "wide fnn, anes96", (*ANES, deep(2, 256)), ["trainer.max_epochs=40"], ["trainer.max_epochs=2"]),
    both(
        "overfitting",
        "deep cnn, MNIST",
        (*WIDE_CNN, "trainer.max_epochs=20"),
        ["data.limit=130"],
        ["data.limit=5000", "trainer.max_epochs=4"],
    ),
    both("overfitting", "fnn, quantiles", (*FNN, *of("quantiles0")), ["data.limit=150", "trainer.max_epochs=30"]),
    both("overtraining", "scratch, cloudy", ("model=scratch", *of("cloudy0")), LONG, ["trainer.max_epochs=2"]),
    both("overtraining", "fnn, cloudy", (*FNN, *of("cloudy1")), LONG, ["trainer.max_epochs=2"]),
    both("overtraining", "fnn, diabetes", DIABETES, LONG, ["trainer.max_epochs=3"]),
    both("overtraining", "wide fnn, faint", (*FNN, deep(2, 256)), [*of("faint0"), *LONG], of("three0")),
    both("underfitting", "lstm, MNIST", LSTM, ["model.widths=[2]"], ["trainer.max_epochs=12"]),
    both("underfitting", "scratch, MNIST", SCRATCH, ["model.widths=[2]"]),
    both("underfitting", "scratch, six", SCRATCH_SIX, ["model.widths=[1]"]),
    both("underfitting", "fnn, quantiles", (*FNN, *of("quantiles1")), ["model.widths=[2]"], ["trainer.max_epochs=20"]),
    both("no_learning", "linear, quantiles", (), [*LINEAR, *of("quantiles0-shuffled")], [*FNN, *of("quantiles0")]),
    both("no_learning", "linear, shuffled six", (), [*LINEAR, *of("six0-shuffled")], SIX),
    both("no_learning", "perceptron, xor", ("data=toy", "data.kind=xor"), ["model=perceptron"], ["model=scratch"]),
    both("no_learning", "linear, shuffled randhie", (), [*LINEAR, *of("randhie-shuffled"), "data.limit=3000"], RANDHIE),
    *(
        both("class_imbalance", f"{model}, rare {i}", (f"model={model}",), of(f"rare{i}"), of(f"three{i}"))
        for i, model in enumerate(("fnn", "linear", "scratch"))
    ),
    *(
        both("label_noise", f"{model}, {name}", (f"model={model}",), of(f"{name}-noisy"), of(name))
        for model, name in (("fnn", "six0"), ("scratch", "six2"), ("linear", "three0"), ("fnn", "quantiles2"))
    ),
    *(
        both("target_leak", f"{model}, {name}", (f"model={model}",), of(f"{name}-leaking"), of(name))
        for model, name in (("fnn", "anes96"), ("fnn", "diabetes"), ("scratch", "six0"), ("linear", "star98"))
    ),
    *(
        both("split_leak", f"{model}, {name}", (f"model={model}",), of(f"{name}-doubled"), of(name))
        for model, name in (("fnn", "anes96"), ("fnn", "diabetes"), ("scratch", "six0"), ("linear", "star98"))
    ),
    *(
        both("too_few_samples", f"{model}, {name}", (f"model={model}",), of(f"{name}-few"), of(name))
        for model, name in (("fnn", "anes96"), ("scratch", "six0"), ("linear", "three1"))
    ),
    both("too_few_samples", "lstm, MNIST", LSTM, ["data.limit=50"]),
    both("over_regularized", "lstm, MNIST", LSTM, ["model.dropout=0.95"], ["model.dropout=0.1"]),
    both("over_regularized", "scratch, MNIST", SCRATCH, ["model.dropout=0.95"], ["model.dropout=0.2"]),
    both("over_regularized", "deep cnn, MNIST, L2", WIDE_CNN, ["model.l2=1"], ["model.l2=1e-5"]),
    both("over_regularized", "fnn, six", SIX, ["model.dropout=0.95"], ["model.dropout=0.1"]),
    *(
        both("batch_norm_small_batch", name, (*base, BATCH_NORM, "trainer.max_epochs=2"), [f"data.batch_size={size}"])
        for name, base, size in (
            ("lstm, MNIST", (*LSTM, "data.limit=1000"), 4),
            ("fnn, anes96", ANES, 2),
            ("fnn, diabetes", DIABETES, 4),
            ("scratch, six", SCRATCH_SIX, 4),
        )
    ),
    both("divergence", "scratch with SGD, MNIST", (*SCRATCH, SGD), ["optimizer.lr=1e4"]),
    both("divergence", "fnn with SGD, anes96", (*ANES, SGD), ["optimizer.lr=1e5"]),
    both("divergence", "fnn with SGD, diabetes", (*DIABETES, SGD), ["optimizer.lr=100"]),
    both("divergence", "deep cnn with SGD, MNIST", (*WIDE_CNN, SGD), ["optimizer.lr=1e4"]),
    *(
        both("class_collapse", f"{model}, faint {i}", (f"model={model}",), of(f"faint{i}"), of(f"three{i}"))
        for i, model in enumerate(("fnn", "linear", "scratch"))
    ),
    *(
        both(
            "plateau",
            f"{model}, cloudy {i}",
            (f"model={model}", "trainer.max_epochs=20", CONSTANT, "optimizer.lr=0.001"),
            of(f"cloudy{i}"),
            of(f"three{i}"),
        )
        for i, model in enumerate(("linear", "linear", "linear"))
    ),
    both("uncertain_validation", "scratch, MNIST", SCRATCH, ["data.limit_eval=40"]),
    both("uncertain_validation", "fnn, six", SIX, ["data.limit_eval=30"]),
    both("uncertain_validation", "fnn, moons", MOONS, ["data.limit_eval=30"]),
    both("uncertain_validation", "fnn, anes96", ANES, ["data.limit_eval=40"]),
    *(
        both(
            "worse_than_baseline",
            f"{model}, board {i}",
            (f"model={model}",),
            [*of(f"board{i}"), "trainer.max_epochs=60", deep(2, 256)],
            of(f"six{i}"),
        )
        for i, model in enumerate(("fnn", "scratch", "fnn"))
    ),
    *(
        both(
            "data_bound",
            f"{name}, photos",
            photos(size),
            [f"model={name}", "optimizer.lr=1e-4", "data.augment=light", *extra],
            ["model=cnn", "model.widths=[32,32]"],
        )
        for name, size, extra in (("perceptron", 96, ()), ("linear", 160, ()), ("fnn", 128, ("model.widths=[4]",)))
    ),
    both(
        "still_improving",
        "lstm, MNIST",
        (*LSTM, CONSTANT),
        ["optimizer.lr=0.001", "trainer.max_epochs=4"],
        ["optimizer.lr=0.01", "trainer.max_epochs=25"],
    ),
    both(
        "still_improving",
        "scratch with SGD, six",
        (*SCRATCH_SIX, CONSTANT, SGD),
        ["optimizer.lr=0.0005", "trainer.max_epochs=4"],
        ["optimizer.lr=0.02", "trainer.max_epochs=20"],
    ),
    both(
        "still_improving",
        "linear, MNIST",
        (*LINEAR, *FEW_DIGITS, CONSTANT),
        ["optimizer.lr=3e-4", "trainer.max_epochs=4"],
        ["optimizer.lr=0.005", "trainer.max_epochs=20"],
    ),
    both(
        "still_improving",
        "deep cnn, MNIST",
        (*WIDE_CNN, CONSTANT),
        ["optimizer.lr=1e-4", "trainer.max_epochs=4"],
        ["optimizer.lr=1e-3", "trainer.max_epochs=12"],
    ),
)
