#!/usr/bin/env python3
"""Classifies labelled images with Intact and ONNX Runtime on the same arrays, and compares.

Images are prepared once, here; both engines read the same numbers. Also checks that Intact gives the same
bytes on every instruction set, for every number of threads, with and without fusion, and for every split
of the batch. See bench/README.md.
"""

import argparse
import functools
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

import environment

DEFAULT_MODELS = ["mobilenetv2-12-qdq.onnx", "mobilenetv2-12-qoperator.onnx",
                  "mobilenetv2-tv-qdq-perchannel.onnx", "mobilenetv2-12-float.onnx"]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


# --- images and labels


def read_labels(path, names):
    """Class index per sample: .npy, lines of file<TAB>class, or lines of class."""
    import numpy as np
    if path.suffix == ".npy":
        return np.load(path).astype(int)
    lines = [line.split("\t") for line in path.read_text().splitlines() if line.strip()]
    if len(lines[0]) == 1:
        return np.array([int(line[0]) for line in lines])
    classes = {line[0]: int(line[1]) for line in lines if line[1].isdigit()}
    missing = [name for name in names if name not in classes]
    if missing:
        sys.exit(f"error: {path} has no class for {missing[0]}")
    return np.array([classes[name] for name in names])


def prepare_image(path, crop):
    """Shorter side 256, centre crop, scaled to 0..1, normalized, channels first."""
    import numpy as np
    from PIL import Image
    image = Image.open(path).convert("RGB")
    if min(image.size) != 256:
        ratio = 256 / min(image.size)
        image = image.resize([round(side * ratio) for side in image.size], Image.Resampling.BILINEAR)
    left, top = (image.width - crop) // 2, (image.height - crop) // 2
    pixels = np.asarray(image.crop((left, top, left + crop, top + crop)), np.float32) / 255
    return ((pixels - np.float32(MEAN)) / np.float32(STD)).transpose(2, 0, 1)


def read_samples(arguments):
    """Inputs [N, ...] and classes [N]."""
    import numpy as np
    if arguments.inputs:
        samples, names = np.load(arguments.inputs, mmap_mode="r")[:arguments.limit], []
    else:
        files = sorted(f for f in arguments.images.iterdir() if f.suffix.lower() in (".jpg", ".jpeg", ".png"))
        if not files:
            sys.exit(f"error: {arguments.images} holds no .jpg or .png files")
        files = files[:arguments.limit]
        progress = environment.Progress("images", len(files))
        samples = np.empty((len(files), 3, arguments.crop, arguments.crop), np.float32)
        for i, file in enumerate(files):
            samples[i] = prepare_image(file, arguments.crop)
            progress.step()
        names = [file.name for file in files]
    labels = read_labels(arguments.labels, names)[:len(samples)]
    if len(labels) != len(samples):
        sys.exit(f"error: {len(samples)} samples but {len(labels)} labels")
    return samples, labels


# --- the engines


class Failure(Exception):
    pass


def run_intact(program, model, feeds, options, folder):
    """Paths of the outputs of `intact run`, in order, for inputs given by name."""
    import numpy as np
    output, arguments = folder / "output", []
    for i, (name, array) in enumerate(feeds.items()):
        np.save(folder / f"input{i}.npy", np.asarray(array, order="C"))
        arguments += ["--input", f"{name}={folder / f'input{i}.npy'}"]
    shutil.rmtree(output, ignore_errors=True)
    done = subprocess.run([program, "run", model, *arguments, "--output", output, *options], capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise Failure(lines[-1].removeprefix("error: "))
    return sorted(output.glob("*.npy"), key=lambda path: int(path.stem))


class IntactRunner:
    """`intact run` on batches of samples written as .npy."""

    def __init__(self, program, model, input_name, batch, folder):
        self.program, self.model, self.input_name, self.batch = program, model, input_name, batch
        self.folder = pathlib.Path(folder)

    def run_once(self, samples, options):
        """Paths of the outputs, in order."""
        return run_intact(self.program, self.model, {self.input_name: samples}, options, self.folder)

    def scores(self, samples, options, progress):
        """The first output of all samples."""
        import numpy as np
        rows = []
        for begin in range(0, len(samples), self.batch):
            rows.append(np.load(self.run_once(samples[begin:begin + self.batch], options)[0]))
            progress.step()
        return np.concatenate(rows)

    def digest(self, samples, options, batch=None):
        """SHA-256 of all outputs of all samples."""
        import numpy as np
        batch = batch or self.batch
        pieces = {}
        for begin in range(0, len(samples), batch):
            for path in self.run_once(samples[begin:begin + batch], options):
                pieces.setdefault(path.name, []).append(np.load(path).tobytes())
        hashed = hashlib.sha256()
        for name in sorted(pieces):
            hashed.update(b"".join(pieces[name]))
        return hashed.hexdigest()


def identical_bytes(digest, splits_batches=False):
    """Tries every way to run. digest(options) gives the hash of all outputs, digest(options, batch=1) that of
    single samples. The names of the ways tried, and of those that differ from the first."""
    tried, different, first = [], [], None
    for isa in ("scalar", "avx2", "avx512vnni", "amx"):
        for threads in (1, 2):
            for fusion in ([], ["--no-fusion"]):
                options = ["--isa", isa, "--threads", str(threads), *fusion]
                name = f"{isa}, {threads} thread(s){', no fusion' if fusion else ''}"
                try:
                    found = digest(options)
                except Failure as failure:
                    if isa in str(failure):  # the machine lacks it
                        continue
                    raise
                first = first or found
                tried.append(name)
                different += [name] if found != first else []
    if splits_batches:
        tried.append("one sample at a time")
        different += [tried[-1]] if digest(["--threads", "1"], batch=1) != first else []
    return tried, different


# --- figures


def top_k(scores, labels, k):
    """Percentage of samples whose class is among the best k; of equal scores the first class counts."""
    import numpy as np
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean() * 100)


def compare(arguments, model, samples, labels, folder):
    import numpy as np
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name, extents = session.get_inputs()[0].name, session.get_inputs()[0].shape
    if len(session.get_inputs()) != 1 or extents[0] == 0:
        raise Failure("one input with samples along its first axis is expected")
    free = not isinstance(extents[0], int)
    batch = arguments.batch if free else extents[0]
    if len(samples) % batch and not free:
        raise Failure(f"the batch of {batch} does not divide {len(samples)} samples")
    runner = IntactRunner(arguments.intact, model, name, batch, folder)
    progress = environment.Progress(f"{model.name}: batches", -(-len(samples) // batch))
    ours = runner.scores(samples, ["--threads", str(arguments.threads)], progress).astype(np.float64)
    step = 1 if free else batch
    theirs = np.concatenate([session.run(None, {name: np.ascontiguousarray(samples[i:i + step])})[0]
                             for i in range(0, len(samples), step)]).astype(np.float64)
    ours, theirs = ours.reshape(len(samples), -1), theirs.reshape(len(samples), -1)
    difference = np.abs(ours - theirs)
    figures = {"samples": len(samples),
               "top1": top_k(ours, labels, 1), "top1_onnxruntime": top_k(theirs, labels, 1),
               "top5": top_k(ours, labels, 5), "top5_onnxruntime": top_k(theirs, labels, 5),
               "agreement": float((ours.argmax(1) == theirs.argmax(1)).mean() * 100),
               "max_difference": float(difference.max()), "mean_difference": float(difference.mean()),
               "largest_value": float(np.abs(theirs).max())}
    if arguments.identical:
        count = arguments.identical if free else -(-arguments.identical // batch) * batch
        runner.batch = min(arguments.identical, len(samples)) if free else batch
        tried, different = identical_bytes(functools.partial(runner.digest, samples[:count]), free)
        figures |= {"ways_tried": tried, "ways_different": different}
    return figures


def table(results):
    rows = []
    for model, figures in results.items():
        if "error" in figures:
            rows.append([model, "failed", *[""] * 5])
            continue
        ways = "not checked"
        if "ways_tried" in figures:
            same = len(figures["ways_tried"]) - len(figures["ways_different"])
            ways = f"{same} of {len(figures['ways_tried'])}"
        rows.append([model, f"{figures['top1']:.1f} / {figures['top1_onnxruntime']:.1f}",
                     f"{figures['top5']:.1f} / {figures['top5_onnxruntime']:.1f}", f"{figures['agreement']:.1f}",
                     f"{figures['max_difference']:.3g}",
                     f"{figures['max_difference'] / (figures['largest_value'] or 1):.2g}", ways])
    return environment.markdown_table(["model", "top-1 % Intact / ORT", "top-5 % Intact / ORT", "same class %",
                                       "max difference", "relative to largest", "identical bytes"], rows)


def parse_arguments():
    data = environment.test_data()
    images = data / "images" / "imagenet500" if data else None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=pathlib.Path, help="ONNX classifiers with one input")
    parser.add_argument("--images", type=pathlib.Path, default=images, help="folder of images")
    parser.add_argument("--inputs", type=pathlib.Path, help="prepared samples (.npy) in place of images")
    parser.add_argument("--labels", type=pathlib.Path,
                        help="file<TAB>class lines, class lines, or .npy (default: labels.tsv of the images)")
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--limit", type=int, help="first samples only")
    parser.add_argument("--batch", type=int, default=25, help="samples per call where the model's batch is free")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--identical", type=int, default=4, help="samples for the comparison of bytes; 0: none")
    environment.add_arguments(parser)
    arguments = parser.parse_args()
    if not arguments.models and data:
        arguments.models = [data / "models" / name for name in DEFAULT_MODELS]
    if not arguments.models or not (arguments.images or arguments.inputs):
        parser.error("no models or images given, and no test data found (INTACT_TEST_DATA)")
    if arguments.labels is None:
        if arguments.inputs:
            parser.error("--inputs needs --labels")
        arguments.labels = arguments.images / "labels.tsv"
    for path in [*arguments.models, arguments.labels, arguments.inputs or arguments.images]:
        if not path.exists():
            parser.error(f"{path} does not exist")
    return arguments


def main():
    arguments = parse_arguments()
    conditions = environment.enter(arguments)
    samples, labels = read_samples(arguments)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for model in arguments.models:
            try:
                results[model.stem] = compare(arguments, model.resolve(), samples, labels, folder)
            except Exception as error:  # ONNX Runtime may refuse a model in any way; the others go on
                results[model.stem] = {"error": (str(error).strip().splitlines() or [type(error).__name__])[0]}
    notes = [f"{model}: {figures['error']}" for model, figures in results.items() if "error" in figures]
    notes += [f"{model} differs from its first run with: {'; '.join(figures['ways_different'])}."
              for model, figures in results.items() if figures.get("ways_different")]
    heading = f"{environment.describe(conditions)} {len(samples)} samples."
    environment.write_results(arguments, "\n\n".join([heading, table(results), *notes]),
                              {**conditions, "results": results})
    return 1 if any("error" in figures for figures in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
