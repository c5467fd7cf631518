"""Round a finished run's last weights to fp16, which halves the file; vectors (biases, norms) stay fp32.

    python tools/halve_weights.py runs/mote_420k.cifar100 --data-dir ~/data

To be run before tools/ship_weights.py. The test set is evaluated again, and the run's summary gets the figures. A model
that loads the file computes in fp32 as before.
"""

from finished_run import logits_of_test, read_summary, run_arguments, write_summary

from tinynets.engine import load_trained
from tinynets.engine.evaluation import metrics
from tinynets.weights import read_weights, save_weights


def main() -> None:
    args = run_arguments(__doc__)
    path, summary = args.run / "last.safetensors", read_summary(args.run)
    state, metadata = read_weights(path)
    save_weights(path, {name: t.half() if t.dim() > 1 else t for name, t in state.items()}, metadata)

    after = metrics(*logits_of_test(load_trained(str(path)), summary["data"], args.data_dir))
    for figure in ("top1", "loss"):
        before = summary["last"][f"test_{figure}"]
        summary["last"][f"test_{figure}"] = after[figure]
        print(f"{figure}: {before:.4f} -> {after[figure]:.4f}")
    write_summary(args.run, summary)


if __name__ == "__main__":
    main()
