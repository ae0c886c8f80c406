#!/usr/bin/env python3
"""Quantizes float models of the test data with `intact quantize` and says how far the results are from the float
models, in Intact and in ONNX Runtime, on samples that calibration did not see. See bench/README.md.
"""

import argparse
import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing

import accuracy
import environment
import models

# --- figures beside the ratio of signal to noise; float outputs, int8 outputs -> name, text


def decibels(expected, given):
    """10 log10(sum float^2 / sum (float - int8)^2) over all outputs and samples."""
    import numpy as np
    signal = sum(float((np.float64(a) ** 2).sum()) for a in expected)
    noise = sum(float(((np.float64(a) - b) ** 2).sum()) for a, b in zip(expected, given))
    return 10 * np.log10(signal / max(noise, 1e-300))


def classes(expected, given, labels):
    """Percentage of samples with another class, and the change of top-1 where true classes are known."""
    first, second = (outputs[0].reshape(len(outputs[0]), -1) for outputs in (expected, given))
    figures = {"disagree": float((first.argmax(1) != second.argmax(1)).mean() * 100)}
    if labels is not None:
        figures["top1_change"] = accuracy.top_k(second, labels, 1) - accuracy.top_k(first, labels, 1)
    return figures


def probabilities(expected, given, labels):
    import numpy as np
    logs = [[np.log(np.maximum(np.float64(outputs[0]), 1e-12))] for outputs in (expected, given)]
    return {**classes(expected, given, labels), "log_db": decibels(*logs)}


def boxes(output, strides=(8, 16, 32), side=416, least=0.3, overlap=0.45):
    """Detections of YOLOX as rows x0, y0, x1, y1, score, class, after suppression within each class."""
    import numpy as np
    grid = np.concatenate([np.stack([*np.meshgrid(np.arange(side // s), np.arange(side // s)), np.full((side // s,) * 2, s)],
                                    2).reshape(-1, 3) for s in strides])
    scores = output[:, 4:5] * output[:, 5:]
    kind, score = scores.argmax(1), scores.max(1)
    centre, extent = (output[:, :2] + grid[:, :2]) * grid[:, 2:], np.exp(output[:, 2:4]) * grid[:, 2:]
    rows = np.concatenate([centre - extent / 2, centre + extent / 2, score[:, None], kind[:, None]], 1)
    rows = rows[score >= least]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    kept = []
    for row in rows:
        if all(row[5] != other[5] or intersection(row, other) < overlap for other in kept):
            kept.append(row)
    return kept


def intersection(a, b):
    """Over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def detections(expected, given, labels):
    """F1 of the int8 model's detections, judged by the float model's at an intersection over union of 0.5."""
    found = wanted = right = 0
    for first, second in zip(expected[0], given[0]):
        truth, guesses = boxes(first), boxes(second)
        found, wanted = found + len(guesses), wanted + len(truth)
        for guess in guesses:
            best = max((row for row in truth if row[5] == guess[5]), key=lambda row: intersection(row, guess),
                       default=None)
            if best is not None and intersection(best, guess) >= 0.5:
                right += 1
                truth = [row for row in truth if row is not best]
    return {"f1": 2 * right / max(found + wanted, 1)}


def pooled_cosine(expected, given, mask):
    """Mean cosine of the angle between embeddings of sentences: means over the tokens."""
    import numpy as np
    first, second = ((np.float64(outputs[0]) * mask[:, :, None]).sum(1) for outputs in (expected, given))
    cosines = (first * second).sum(1) / np.sqrt((first ** 2).sum(1) * (second ** 2).sum(1))
    return {"cosine": float(cosines.mean())}


# --- samples


def varied_files(name):
    """What magika reads, of files that any machine has: at most 25 of each extension. Other machines have others."""
    def load(data, limit):
        import numpy as np
        import random
        files = []
        for folder in ("/usr/share", "/usr/lib", "/usr/bin", "/usr/include", "/etc", str(environment.ROOT)):
            for parent, folders, names in os.walk(folder):
                folders.sort()
                files += [path for path in (pathlib.Path(parent, file) for file in sorted(names))
                          if not path.is_symlink() and path.is_file() and path.stat().st_size >= 64]
        random.Random(1).shuffle(files)
        taken, rows = {}, []
        for path in files:
            taken[path.suffix] = taken.get(path.suffix, 0) + 1
            if taken[path.suffix] > 25 or not os.access(path, os.R_OK):
                continue
            with open(path, "rb") as file:
                begin = file.read(4096).lstrip()[:1024]
                file.seek(max(path.stat().st_size - 4096, 0))
                end = file.read().rstrip()[-1024:]
            row = np.full(2048, 256, np.int32)
            row[:len(begin)] = np.frombuffer(begin, np.uint8)
            row[2048 - len(end):] = np.frombuffer(end, np.uint8)
            rows.append(row)
            if len(rows) == limit:
                break
        return models.in_batches(name, np.stack(rows), 50), None
    return load


def sentences(folder, limit):
    """As tools/export/minilm.py writes them beside the model. For labels it says which tokens count."""
    import numpy as np
    inputs = {name: np.load(folder / f"{name}.npy")[:limit] for name in ("input_ids", "attention_mask")}
    return in_calls(inputs, 25), inputs["attention_mask"]


def in_calls(samples, size):
    """Samples by input, `size` to a call."""
    count = len(next(iter(samples.values())))
    return [{name: values[i:i + size] for name, values in samples.items()} for i in range(0, count, size)]


# --- models


@dataclasses.dataclass
class Case:
    file: str
    samples: typing.Callable
    calibration: int  # the first samples
    figures: typing.Callable = None  # (float outputs, int8 outputs, labels) -> figures by name
    most: int = 10000  # samples in all
    exported: bool = False  # not of the test data: lies with its samples in a folder that tools/export wrote
    targets: dict = dataclasses.field(default_factory=dict)  # of static files


PP_PHOTOS = models.detection("x", (320, 320), mean=models.PHOTO_MEAN, std=models.PHOTO_STD, bgr=True)
CASES = [
    Case("mobilenetv2-12-float", models.imagenet("input"), 100, classes,
         targets={"db": 22, "disagree": 2.5, "top1_change": -0.25}),
    Case("resnet20_cifar10", models.cifar10("input", True), 200, classes, targets={"db": 31, "disagree": 0.9}),
    Case("resnet56_cifar10", models.cifar10("input", True), 200, classes, targets={"db": 30, "disagree": 0.9}),
    Case("resnet8_cifar10", models.cifar10("input_1", False), 200, probabilities,
         targets={"db": 26, "disagree": 2.3, "log_db": 24}),
    Case("mnist_transformer", models.mnist("input", (28, 28), 1, 100), 200, classes, 2200, targets={"db": 37}),
    Case("magika_standard_v3_3", varied_files("bytes"), 100, classes, 600, targets={"db": 27, "disagree": 2}),
    Case("yolox_nano", models.detection("images", (416, 416), bgr=True, letterbox=True), 10, detections,
         targets={"f1": 0.97, "db": 16}),
    Case("nanodet_m_320", models.detection("input.1", (320, 320), mean=(103.53, 116.28, 123.675),
                                           std=(57.375, 57.12, 58.395), bgr=True), 10, targets={"db": 21}),
    Case("ultraface_RFB_320", models.FACES, 10, targets={"db": 42}),
    Case("ppocrv3_det", PP_PHOTOS, 10, targets={"db": 11}),
    Case("minilm-l6", sentences, 50, pooled_cosine, exported=True, targets={"cosine": 0.994}),
]
LOWER_IS_BETTER = {"disagree"}
SHOWN = {"db": "{:.1f} dB", "disagree": "{:.2f} %", "top1_change": "{:+.2f}", "log_db": "log {:.1f} dB", "f1": "F1 {:.3f}",
         "cosine": "cosine {:.4f}"}

# --- measuring


def split(case, data, limit):
    """Calibration samples by input, calls on the others, and their labels."""
    import numpy as np
    calls, labels = case.samples(data, min(case.most, limit))
    samples = {name: np.concatenate([call[name] for call in calls]) for name in calls[0]}
    first, rest = ({name: values[part] for name, values in samples.items()}
                   for part in (slice(case.calibration), slice(case.calibration, None)))
    size = len(next(iter(calls[0].values())))
    return first, in_calls(rest, size), None if labels is None else labels[case.calibration:]


def joined(results):
    """Outputs over all calls."""
    import numpy as np
    return [np.concatenate(parts) for parts in zip(*results)]


def runners(arguments, folder):
    def intact(path, calls):
        import numpy as np
        options = ["--threads", str(arguments.threads)]
        return joined([[np.load(file) for file in accuracy.run_intact(arguments.intact, path, call, options, folder)]
                       for call in calls])

    def onnxruntime(path, calls):
        run = models.onnxruntime_outputs(path, arguments.threads)
        return joined([run(call) for call in calls])

    return {"Intact": intact, "ONNX Runtime": onnxruntime}


def quantize(arguments, model, output, mode, calibration):
    command = [arguments.intact, "quantize", model, "-o", output, "--mode", mode.split("-")[0],
               "--threads", str(arguments.threads), *arguments.extra.split()]
    if mode != "dynamic":
        command += ["--calibration", calibration]
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise accuracy.Failure((done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])
    return time.monotonic() - begin


def model_file(case, arguments):
    return (arguments.minilm if case.exported else arguments.data / "models") / f"{case.file}.onnx"


def measure(arguments, case, folder):
    import numpy as np
    model = model_file(case, arguments)
    data = model.parent if case.exported else arguments.data
    calibration, calls, labels = split(case, data, arguments.limit)
    (folder / "calibration").mkdir()
    for name, values in calibration.items():
        np.save(folder / "calibration" / f"{name}.npy", values)
    engines = runners(arguments, folder)
    expected = {name: run(model, calls) for name, run in engines.items()}
    rows = []
    for mode in arguments.modes:
        output = folder / f"{mode}.onnx"
        row = {"model": case.file, "mode": mode, "samples": sum(len(next(iter(call.values()))) for call in calls)}
        rows.append(row)
        try:
            row["seconds"] = quantize(arguments, model, output, mode, folder / "calibration")
        except accuracy.Failure as failure:
            row["error"] = str(failure)
            continue
        row["size_ratio"] = output.stat().st_size / model.stat().st_size
        row["engines"] = {}
        for name, run in engines.items():
            try:
                given = run(output, calls)
            except Exception as error:  # ONNX Runtime may refuse a model in any way; the others go on
                row["engines"][name] = {"error": str(error).strip().splitlines()[0]}
                continue
            row["engines"][name] = {"db": decibels(expected[name], given)}
            if case.figures:
                row["engines"][name] |= case.figures(expected[name], given, labels)
        row["targets"] = case.targets
        row["met"] = met(row["engines"]["Intact"], case.targets)
    return rows


def met(figures, targets):
    return all(name in figures and (figures[name] <= target if name in LOWER_IS_BETTER else figures[name] >= target)
               for name, target in targets.items())


def text_of(figures):
    if "error" in figures:
        return figures["error"]
    return ", ".join(SHOWN[name].format(figures[name]) for name in SHOWN if name in figures)


def table(rows):
    cells = []
    for row in rows:
        if "error" in row:
            cells.append([row["model"], row["mode"], row["error"], *[""] * 5])
            continue
        cells.append([row["model"], row["mode"], *(text_of(figures) for figures in row["engines"].values()),
                      text_of(row["targets"]), "yes" if row["met"] else "no", f"{row['size_ratio']:.3f}",
                      f"{row['seconds']:.1f}"])
    return environment.markdown_table(["model", "mode", "Intact", "ONNX Runtime", "target", "met", "size", "seconds"], cells)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    environment.add_models_arguments(parser)
    parser.add_argument("--minilm", type=pathlib.Path, default=environment.ROOT / "build" / "minilm",
                        help="what tools/export/minilm.py wrote; left out when absent")
    parser.add_argument("--modes", nargs="+", choices=["static", "dynamic", "dynamic-sampled"],
                        default=["static"], help="dynamic-sampled: dynamic, with the samples that static mode has")
    parser.add_argument("--extra", default="", help="further options of intact quantize, as one word: --extra=\"--method mse\"")
    parser.add_argument("--limit", type=int, default=10000, help="most samples per model, calibration included")
    parser.add_argument("--threads", type=int, default=1)
    environment.add_arguments(parser)
    return environment.parse_with_data(parser)


def main():
    arguments = parse_arguments()
    conditions = environment.enter(arguments)
    chosen = [case for case in CASES if not arguments.models or any(part in case.file for part in arguments.models)]
    for case in [case for case in chosen if case.exported and not model_file(case, arguments).exists()]:
        print(f"left out: {case.file}, no {model_file(case, arguments)}", file=sys.stderr)
        chosen.remove(case)
    progress = environment.Progress("models", len(chosen))
    rows = []
    for case in chosen:
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(arguments, case, pathlib.Path(folder))
        progress.step()
    environment.write_results(arguments, f"{environment.describe(conditions)}\n\n{table(rows)}",
                              {**conditions, "extra": arguments.extra, "results": rows})
    return 0 if all(row.get("met") for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
