"""Put small faults into the package, one at a time, and see whether the tests notice.

    python tools/mutations.py                 # all of them; exits 1 if one survives
    python tools/mutations.py schedules mixing  # those whose file or test names one of these words

An entry of MUTATIONS is: a file under src/tinynets, what stands there (once), what takes its place, the tests to run.
The faults are made in a copy. Needs a system with fork, which saves importing torch for every fault.
"""

import os
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[1]
QUIET = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # plugins that came in with timm

MUTATIONS = [
    # layers and ops
    ("layers/blur_pool.py", 'pad_mode="replicate"', 'pad_mode="zeros"', "tests/layers/test_blur_pool.py"),
    ("layers/blur_pool.py", "[0.25, 0.5, 0.25]", "[0.3, 0.4, 0.3]", "tests/layers/test_blur_pool.py"),
    ("layers/is_norm.py", "if index == step:", "if index == 0:", "tests/layers/test_is_norm.py"),
    ("layers/is_norm.py", "step >= self.num_steps", "step > self.num_steps", "tests/layers/test_is_norm.py"),
    (
        "layers/dw_separable.py",
        "dilation * (weight.shape[-1] // 2), dilation",
        "weight.shape[-1] // 2, dilation",
        "tests/layers/test_dw_separable.py",
    ),
    ("layers/dw_separable.py", "groups=in_chans, **dd", "groups=1, **dd", "tests/layers/test_dw_separable.py"),
    ("layers/symmetric_conv1x1.py", "- 2 * basis @", "- basis @", "tests/layers/test_symmetric_conv1x1.py"),
    (
        "layers/symmetric_conv1x1.py",
        "torch.empty(1, channels *",
        "torch.empty(channels *",
        "tests/layers/test_symmetric_conv1x1.py",
    ),
    (
        "layers/entropy_gate.py",
        "max(channels // reduction, 1)",
        "max(channels // reduction, 2)",
        "tests/layers/test_entropy_gate.py tests/models/test_counts.py",
    ),
    (
        "layers/entropy_gate.py",
        "if not tau > 0:",
        "if tau < 0:",
        "tests/layers/test_every_layer.py::test_bad_arguments_are_named",
    ),
    ("layers/registry.py", "if name in _LAYERS:", "if False:", "tests/layers/test_registry.py"),
    (
        "layers/divisive_norm.py",
        "if not eps > 0:",
        "if False:",
        "tests/layers/test_every_layer.py::test_bad_arguments_are_named",
    ),
    ("deploy/fuse/folding.py", "scale * exact(bn.weight), shift", "scale, shift", "tests/deploy/test_folding.py"),
    ("deploy/fuse/folding.py", "+ bn.eps)", ")", "tests/deploy/test_folding.py"),
    (
        "ops/symmetric_weight.py",
        "rows == columns, 0.5, 1.0",
        "rows == columns, 1.0, 1.0",
        "tests/ops/test_symmetric_weight.py",
    ),
    ("ops/gumbel_gate.py", "(logits - noise) / tau", "(logits - noise)", "tests/layers/test_entropy_gate.py"),
    (
        "ops/gumbel_gate.py",
        "one_hot - gate.detach() + gate if training",
        "one_hot if training",
        "tests/layers/test_entropy_gate.py",
    ),
    # models
    (
        "models/base.py",
        'nn.init.constant_(step.get_parameter("weight"), 1 / norm.num_steps)',
        "pass",
        "tests/models/test_behaviour.py",
    ),
    ("models/base.py", "self.head.train(self.training)", "pass", "tests/models/test_timm_interface.py"),
    ("models/base.py", "pool = self.default_pool", "pool = 'max'", "tests/models/test_timm_interface.py"),
    (
        "models/factory.py",
        'model.pretrained_cfg["first_conv"] = cfg.first_conv',
        "pass",
        "tests/weights/test_manifest.py",
    ),
    ("models/factory.py", "* (have / want)", "", "tests/weights/test_manifest.py"),
    ("models/factory.py", '{**overlay, "first_conv": None}', "overlay", "tests/weights/test_manifest.py"),
    ("models/simplecnn.py", "if min(img_size) < 4:", "if min(img_size) < 3:", "tests/models/test_counts.py"),
    ("models/simplecnn.py", "self.branch(x) + self.scale * x", "self.branch(x) + x", "tests/models/test_behaviour.py"),
    ("models/simplecnn.py", "head.hidden = old.hidden", "pass", "tests/models/test_timm_interface.py"),
    # analysis, deploy, weights, files
    ("analysis/layer_table.py", "(spent - inner) // 2", "spent // 2", "tests/analysis/test_layer_table.py"),
    ("analysis/layer_table.py", "if p.requires_grad or not trainable", "", "tests/analysis/test_layer_table.py"),
    ("analysis/layer_table.py", "row.calls += 1", "row.calls = 1", "tests/analysis/test_layer_table.py"),
    ("deploy/fuse.py", "copy.deepcopy(model).eval()", "model.eval()", "tests/deploy/test_fuse.py"),
    ("deploy/fuse.py", "fused.eval().requires_grad_(False)", "fused.eval()", "tests/deploy/test_fuse.py"),
    ("weights/manifest.py", "!= weights.sha256", "!= weights.sha256 and False", "tests/weights/test_manifest.py"),
    ("weights/files.py", "if _KEY not in metadata:", "if False:", "tests/engine/record"),
    (
        "_files.py",
        "partial.unlink(missing_ok=True)",
        "pass",
        "tests/test_files.py",
    ),
    ("_files.py", "text.count(start) + text.count(end) != 2", "False", "tests/cli/test_results.py"),
    ("_checks.py", "if value % 2 == 0:", "if False:", "tests/layers/test_every_layer.py::test_bad_arguments_are_named"),
    ("_checks.py", "elif min(x.shape[2], x.shape[3]) < min_size:", "elif False:", "tests/models/test_input_checks.py"),
    # augmentation
    ("engine/augment/mixing.py", "probability * strength", "probability", "tests/engine/augment/test_mixing.py"),
    (
        "engine/augment/mixing.py",
        "share = 1 - box.float()",
        "share = box.float()",
        "tests/engine/augment/test_mixing.py",
    ),
    (
        "engine/augment/mixing.py",
        "torch.where(other < len(x), other, index)",
        "torch.where(other < len(x), other, index * 0)",
        "tests/engine/augment/test_mixing.py",
    ),
    ("engine/augment/geometry.py", "draws.chosen(0.5)", "draws.chosen(0.7)", "tests/engine/augment/test_geometry.py"),
    ("engine/augment/geometry.py", "(2 * pad + 1, 2)", "(2 * pad, 2)", "tests/engine/augment/test_geometry.py"),
    (
        "engine/augment/geometry.py",
        "down=draw[4] * shift * height",
        "down=draw[3] * shift * height",
        "tests/engine/augment/test_geometry.py",
    ),
    (
        "engine/augment/geometry.py",
        "antialias=True",
        "antialias=False",
        "tests/engine/augment/test_geometry.py",
    ),
    (
        "engine/augment/colour.py",
        "(x * (1 + c) + b).clamp(0, 1)",
        "(x * (1 + c) + b)",
        "tests/engine/augment/test_colour.py",
    ),
    ("engine/augment/colour.py", "hue * draw[0]", "hue * draw[1]", "tests/engine/augment/test_colour.py"),
    ("engine/augment/cutout.py", "size // 2\n        left", "size\n        left", "tests/engine/augment"),
    ("engine/augment/cutout.py", "range(holes)", "range(1)", "tests/engine/augment"),
    ("engine/augment/draws.py", "numbers[..., self.part]", "numbers", "tests/engine/augment"),
    ("engine/augment/augmenter.py", "a.cutout_prob)", "1.0)", "tests/engine/augment/test_augmenter.py"),
    ("engine/augment/augmenter.py", ".clamp(0, 1)", "", "tests/engine/augment/test_augmenter.py"),
    # data
    ("engine/data/polarity.py", "m - s < 0", "m - s < 0.2", "tests/engine/data/test_polarity.py"),
    (
        "engine/data/polarity.py",
        "border > 0.5 if dark else border < 0.5",
        "border > 0.5",
        "tests/engine/data/test_polarity.py",
    ),
    ("engine/data/labels.py", "present[0] >= 1 and ", "", "tests/engine/data/test_labels.py"),
    ("engine/data/labels.py", "(ones.sum(1) == 1).all()", "True", "tests/engine/data/test_labels.py"),
    ("engine/data/labels.py", "classes > images / 2", "classes > images", "tests/engine/data/test_labels.py"),
    ("engine/data/array_images.py", "+ 0.5, 0, 255)", ", 0, 255)", "tests/engine/data/test_arrays.py"),
    ("engine/data/array_images.py", "if high < LEAST_DEEP:", "if False:", "tests/engine/data/test_arrays.py"),
    ("engine/data/folder.py", "if len(here) > 1:", "if False:", "tests/engine/data/test_folder.py"),
    (
        "engine/data/folder.py",
        'unicodedata.normalize("NFC", path.name)',
        "path.name",
        "tests/engine/data/test_folder.py",
    ),
    # recipes, schedules, evaluation, training
    (
        "engine/recipes/settings.py",
        "warmup_epochs=s.warmup_epochs * share",
        "warmup_epochs=s.warmup_epochs",
        "tests/engine/recipes",
    ),
    ("engine/recipes/settings.py", "m.clean_epochs * share", "m.clean_epochs", "tests/engine/recipes"),
    ("engine/recipes/settings.py", 'if text.lower() in ("none"', 'if text in ("none"', "tests/engine/recipes"),
    (
        "engine/loop/schedules.py",
        "peak * (step + 1) / (warmup + 1)",
        "peak * step / (warmup + 1)",
        "tests/engine/loop/test_schedules.py",
    ),
    (
        "engine/loop/schedules.py",
        "math.floor(side * scale / unit + 0.5)",
        "math.floor(side * scale / unit)",
        "tests/engine/loop/test_schedules.py",
    ),
    (
        "engine/loop/schedules.py",
        "if epoch >= epochs - mixing.clean_epochs:",
        "if epoch > epochs - mixing.clean_epochs:",
        "tests/engine/loop/test_schedules.py",
    ),
    ("engine/loop/schedules.py", "1 + int(epoch", "int(epoch", "tests/engine/loop/test_schedules.py"),
    (
        "engine/loop/schedules.py",
        "low = max(momentum - 0.1, 0.0)",
        "low = momentum",
        "tests/engine/loop/test_schedules.py",
    ),
    ("engine/evaluation.py", "clamp(1, bins) - 1", "clamp(1, bins - 1) - 1", "tests/engine/test_evaluation.py"),
    (
        "engine/evaluation.py",
        "labels * classes + logits.argmax(1)",
        "logits.argmax(1) * classes + labels",
        "tests/engine/test_evaluation.py",
    ),
    ("engine/evaluation.py", 'mode="replicate"', 'mode="constant"', "tests/engine/test_evaluation.py"),
    (
        "engine/evaluation.py",
        "100 * kept / (len(_SHIFTS) - 1)",
        "100 * kept / len(_SHIFTS)",
        "tests/engine/test_evaluation.py",
    ),
    (
        "engine/loop/objective.py",
        "return t**2 * F.kl_div",
        "return t * F.kl_div",
        "tests/engine/loop/test_objective.py",
    ),
    ("engine/loop/objective.py", "[:, places]", "", "tests/engine/loop/test_objective.py"),
    ("engine/loop/objective.py", "(1 - self.distill.weight) * loss", "loss", "tests/engine/loop/test_objective.py"),
    ("engine/loop/optimizer.py", "matrix.grad.diagonal().div_(2)", "pass", "tests/engine/loop/test_step.py"),
    ("engine/loop/norms.py", "norm.momentum = None", "pass", "tests/engine/loop/test_step.py"),
    ("engine/loop/norms.py", "buffer.copy_(buffers[name])", "pass", "tests/engine/loop/test_training.py"),
    (
        "engine/record/run_dir.py",
        '("\\n" if torn else "")',
        '""',
        "tests/engine/record",
    ),
    ("engine/record/checkpoint.py", "version > FORMAT", "version > FORMAT + 1", "tests/engine/record"),
    (
        "engine/record/state.py",
        'state.get("tinynets_state") != FORMAT',
        "False",
        "tests/engine/record",
    ),
    # command line
    ("cli/options.py", "(device.index or 0) >= count", "False", "tests/cli/test_main.py"),
]


def run_tests(copy: Path, tests: str) -> int:
    """pytest's exit code, in a process of its own."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 99
    try:
        log = os.open(copy / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(copy)
        import pytest

        code = int(pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", *QUIET, *tests.split()]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def caught(copy: Path, file: str, old: str, new: str, tests: str) -> bool:
    """Whether a test fails with the fault in place."""
    path = copy / "src/tinynets" / file
    sound = path.read_text(encoding="utf-8")
    if sound.count(old) != 1:
        raise SystemExit(f"{file} holds {old!r} {sound.count(old)} times: name a text that stands there once")
    path.write_text(sound.replace(old, new), encoding="utf-8")
    code = run_tests(copy, tests)
    path.write_text(sound, encoding="utf-8")
    if code not in (0, 1):
        raise SystemExit(f"pytest {tests} ended with {code}:\n{(copy / 'log').read_text()[-2000:]}")
    return code == 1


def main() -> None:
    words = sys.argv[1:]
    chosen = [m for m in MUTATIONS if not words or any(word in m[0] + m[3] for word in words)]
    survived = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("src", "tests", "docs", "tools", "examples", "README.md", "pyproject.toml"):
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy / name)
        os.environ["PYTHONPATH"] = str(copy / "src")
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.path.insert(0, str(copy / "src"))
        sys.dont_write_bytecode = True
        import hypothesis  # noqa: F401
        import timm  # noqa: F401
        import torch
        import torchvision  # noqa: F401

        torch.set_num_threads(1)
        for file, old, new, tests in chosen:
            started = time.perf_counter()
            found = caught(copy, file, old, new, tests)
            survived += [] if found else [file]
            seconds = time.perf_counter() - started
            print(f"{'caught' if found else 'SURVIVED'} ({seconds:.0f} s)  {file}: {old!r} -> {new!r}", flush=True)
    print(f"{len(chosen)} put in, {len(chosen) - len(survived)} caught, {len(survived)} survived")
    sys.exit(bool(survived))


if __name__ == "__main__":
    main()
