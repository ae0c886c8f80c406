#!/usr/bin/env python3
"""Runs every published model of the test data in Intact and ONNX Runtime on the same arrays, and says how far
the two agree, and whether Intact gives the same bytes in every way to run. See bench/README.md.
"""

import argparse
import dataclasses
import hashlib
import pathlib
import sys
import tempfile
import typing

import accuracy
import environment

# --- samples: lists of calls, each the inputs by name, and the classes of all samples or None


def in_batches(name, samples, size=25):
    return [{name: samples[i:i + size]} for i in range(0, len(samples), size)]


def photos(folder, limit):
    files = sorted(folder.glob("*.jpg"))[:limit]
    if not files:
        raise accuracy.Failure(f"{folder} holds no .jpg files")
    return files


def imagenet(name, size=25):
    """Photos as bench/accuracy.py prepares them."""
    def load(data, limit):
        import numpy as np
        files = photos(data / "images" / "imagenet500", limit)
        labels = accuracy.read_labels(data / "images" / "imagenet500" / "labels.tsv", [file.name for file in files])
        return in_batches(name, np.stack([accuracy.prepare_image(file, 224) for file in files]), size), labels
    return load


def cifar10(name, normalized):
    def load(data, limit):
        import numpy as np
        records = np.fromfile(data / "images" / "cifar10_test_2000.bin", np.uint8).reshape(-1, 3073)[:limit]
        pixels = records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32)
        if normalized:
            mean, std = (np.float32(v).reshape(3, 1, 1) for v in (accuracy.MEAN, accuracy.STD))
            pixels = (pixels / 255 - mean) / std
        return in_batches(name, pixels, 100), records[:, 0].astype(int)
    return load


def mnist(name, shape, largest, size):
    def load(data, limit):
        import numpy as np
        folder = data / "images" / "mnist"
        digits, = folder.glob("*images*idx3*")
        classes, = folder.glob("*labels*idx1*")
        labels = np.fromfile(classes, np.uint8)[8:8 + limit].astype(int)
        pixels = np.fromfile(digits, np.uint8)[16:].reshape(-1, *shape)[:limit].astype(np.float32)
        return in_batches(name, pixels / np.float32(255 / largest), size), labels
    return load


def detection(name, *sizes, mean=(0, 0, 0), std=(1, 1, 1), bgr=False, letterbox=False, size=1):
    """COCO photos, one size (height, width) after the other."""
    def prepare(path, height, width):
        import numpy as np
        from PIL import Image
        image = Image.open(path).convert("RGB")
        if letterbox:
            ratio = min(height / image.height, width / image.width)
            image = image.resize((int(image.width * ratio), int(image.height * ratio)), Image.Resampling.BILINEAR)
            canvas = Image.new("RGB", (width, height), (114, 114, 114))
            canvas.paste(image, (0, 0))
            image = canvas
        else:
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(image, np.float32)[:, :, ::-1 if bgr else 1]
        return ((pixels - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)

    def load(data, limit):
        import numpy as np
        files = photos(data / "images" / "coco50", limit)
        calls = []
        for height, width in sizes:
            calls += in_batches(name, np.stack([prepare(file, height, width) for file in files]), size)
        return calls, None
    return load


def file_bytes(name):
    """What magika reads: the first and the last 1024 bytes of a file, 256 where there are none; of files at hand."""
    def load(data, limit):
        import numpy as np
        files = [path for path in sorted(environment.ROOT.glob("*/*.*")) if path.is_file()][:min(limit, 32)]
        samples = np.full((len(files), 2048), 256, np.int32)
        for row, path in zip(samples, files):
            content = np.frombuffer(path.read_bytes(), np.uint8)
            begin, end = content[:1024], content[-1024:]
            row[:len(begin)] = begin
            row[2048 - len(end):] = end
        return in_batches(name, samples, 8), None
    return load


def audio(chunks):
    """Chunks of 512 samples at 16 kHz behind the 64 before them: bursts of harmonics over noise."""
    def load(data, limit):
        import numpy as np
        time = np.arange(chunks * 512 + 64) / 16000
        voice = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 12))
        noise = np.random.default_rng(1).normal(0, 0.01, len(time))
        sound = (0.2 * voice * (np.sin(2 * np.pi * 1.5 * time) > 0) + noise).astype(np.float32)
        state = np.zeros((2, 1, 128), np.float32)
        return [{"input": sound[None, i * 512:i * 512 + 576], "state": state, "sr": np.array(16000, np.int64)}
                for i in range(chunks)], None
    return load


# --- models


@dataclasses.dataclass
class Model:
    file: str
    samples: typing.Callable
    int8: bool = False
    twin: str = None  # the float file, where it is the measure
    carried: dict = dataclasses.field(default_factory=dict)  # output index -> input of the next call
    tolerance: float = 1e-4  # of float files: difference / largest output
    most: int = 500  # samples


PHOTO_MEAN, PHOTO_STD = [255 * v for v in accuracy.MEAN], [255 * v for v in accuracy.STD]
FACES = detection("input", (240, 320), mean=(127,) * 3, std=(128,) * 3)
MODELS = [
    Model("mobilenetv2-12-float.onnx", imagenet("input")),
    Model("resnet8_cifar10.onnx", cifar10("input_1", False)),
    Model("resnet20_cifar10.onnx", cifar10("input", True)),
    Model("resnet56_cifar10.onnx", cifar10("input", True)),
    Model("mobilenetv1_025_vww96.onnx", detection("input_1", (96, 96), std=(255,) * 3, size=25)),
    Model("mnist-cntk.onnx", mnist("Input3", (1, 28, 28), 255, 1)),
    Model("mnist_transformer.onnx", mnist("input", (28, 28), 1, 100)),
    Model("nanodet_m_320.onnx", detection("input.1", (320, 320), mean=(103.53, 116.28, 123.675),
                                          std=(57.375, 57.12, 58.395), bgr=True), most=10),
    Model("yolox_nano.onnx", detection("images", (416, 416), bgr=True, letterbox=True), most=10),
    Model("ultraface_RFB_320.onnx", FACES, most=10),
    Model("ultraface_RFB_320_simplified.onnx", FACES, most=10),
    Model("ppocrv3_det.onnx", detection("x", (320, 320), (480, 640), (736, 320), mean=PHOTO_MEAN, std=PHOTO_STD,
                                        bgr=True), most=10),
    Model("magika_standard_v3_3.onnx", file_bytes("bytes")),
    Model("silero_vad_16k_op15.onnx", audio(50), carried={1: "state"}, tolerance=1e-3),
    Model("mobilenetv2-12-qdq.onnx", imagenet("input"), int8=True),
    Model("mobilenetv2-12-qoperator.onnx", imagenet("input"), int8=True),
    Model("mobilenetv2-tv-qdq-perchannel.onnx", imagenet("image", 1), int8=True),
    Model("mobilenetv2-tv-dynint8-u8w.onnx", imagenet("input", 1), int8=True),
    Model("mobilenetv2-12-dynint8-s8w.onnx", imagenet("input", 1), int8=True),
    Model("mobilenetv2-12-dynint8-s8w.onnx", imagenet("input", 1), int8=True, twin="mobilenetv2-12-float.onnx"),
    Model("mnist_transformer_dyn_s8w.onnx", mnist("input", (28, 28), 1, 1), int8=True),
    Model("mnist_transformer_dyn_s8w.onnx", mnist("input", (28, 28), 1, 1), int8=True, twin="mnist_transformer.onnx"),
]


def run_calls(run, model, calls):
    """run(inputs) gives the outputs in order; those of all calls. State goes from each call to the next."""
    state, results = {}, []
    for call in calls:
        results.append(run({**call, **state}))
        state = {name: results[-1][output] for output, name in model.carried.items()}
    return results


def onnxruntime_outputs(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds)


def relative_difference(ours, theirs):
    """Of every output the greatest difference by its greatest value; the worst of them."""
    import numpy as np
    worst = 0.0
    for output in range(len(theirs[0])):
        pairs = [(np.float64(a[output]), np.float64(b[output])) for a, b in zip(ours, theirs)]
        largest = max(np.abs(b).max() for _, b in pairs)
        worst = max(worst, max(np.abs(a - b).max() for a, b in pairs) / (largest or 1))
    return float(worst)


def scores(results):
    """The first output, one row per sample."""
    import numpy as np
    return np.concatenate([np.float64(outputs[0]).reshape(len(outputs[0]), -1) for outputs in results])


def measure(arguments, model, path, folder):
    import numpy as np
    calls, labels = model.samples(arguments.data, min(arguments.limit, model.most))

    def intact(feeds, options=("--threads", str(arguments.threads))):
        return [np.load(file) for file in accuracy.run_intact(arguments.intact, path, feeds, options, folder)]

    def digest(options):
        hashed = hashlib.sha256()
        for outputs in run_calls(lambda feeds: intact(feeds, options), model, calls[:arguments.identical]):
            hashed.update(b"".join(output.tobytes() for output in outputs))
        return hashed.hexdigest()

    peer = onnxruntime_outputs(arguments.data / "models" / model.twin if model.twin else path, arguments.threads)
    ours, theirs = run_calls(intact, model, calls), run_calls(peer, model, calls)
    figures = {"samples": sum(len(outputs[0]) for outputs in ours), "against": model.twin or "the same file",
               "relative_difference": relative_difference(ours, theirs)}
    if labels is not None:
        mine, other = scores(ours), scores(theirs)
        figures |= {"top1": accuracy.top_k(mine, labels, 1), "top1_onnxruntime": accuracy.top_k(other, labels, 1),
                    "agreement": float((mine.argmax(1) == other.argmax(1)).mean() * 100),
                    "ties": float((np.take_along_axis(mine, other.argmax(1)[:, None], 1)[:, 0] == mine.max(1)).mean() * 100)}
    figures["met"] = (figures["agreement"] >= 99 if model.int8 else
                      figures["relative_difference"] <= model.tolerance)
    if not figures["met"] and not model.int8:
        exact = run_calls(lambda feeds: intact(feeds, ["--reference"]), model, calls)
        figures |= {"from_reference": relative_difference(ours, exact),
                    "onnxruntime_from_reference": relative_difference(theirs, exact)}
        figures["met"] = figures["from_reference"] <= model.tolerance
    if arguments.identical and not model.twin:
        tried, different = accuracy.identical_bytes(digest)
        figures |= {"ways_tried": tried, "ways_different": different}
    return figures


def table(results):
    rows = []
    for figures in results:
        name = figures["model"].removesuffix(".onnx")
        if "error" in figures:
            rows.append([name, "failed", *[""] * 6])
            continue
        ways = ""
        if "ways_tried" in figures:
            tried = len(figures["ways_tried"])
            ways = f"{tried - len(figures['ways_different'])} of {tried}"
        with_classes = "agreement" in figures
        rows.append([name, str(figures["samples"]), figures["against"].removesuffix(".onnx"),
                     f"{figures['relative_difference']:.2g}",
                     f"{figures['top1']:.1f} / {figures['top1_onnxruntime']:.1f}" if with_classes else "",
                     f"{figures['agreement']:.1f}" if with_classes else "",
                     "yes" if figures["met"] else "no", ways])
    return environment.markdown_table(["model", "samples", "ONNX Runtime runs", "relative difference",
                                       "top-1 % Intact / ORT", "same class %", "target met", "identical bytes"], rows)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    environment.add_models_arguments(parser)
    parser.add_argument("--limit", type=int, default=500, help="most samples per model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--identical", type=int, default=2, help="calls for the comparison of bytes; 0: none")
    environment.add_arguments(parser)
    return environment.parse_with_data(parser)


def main():
    arguments = parse_arguments()
    conditions = environment.enter(arguments)
    chosen = [model for model in MODELS
              if not arguments.models or any(part in model.file for part in arguments.models)]
    progress = environment.Progress("models", len(chosen))
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for model in chosen:
            try:
                figures = measure(arguments, model, arguments.data / "models" / model.file, pathlib.Path(folder))
            except Exception as error:  # ONNX Runtime may refuse a model in any way; the others go on
                figures = {"error": (str(error).strip().splitlines() or [type(error).__name__])[0]}
            results.append({"model": model.file, **figures})
            progress.step()
    notes = [f"{figures['model']}: {figures['error']}" for figures in results if "error" in figures]
    notes += [f"{figures['model']} differs from its first run with: {'; '.join(figures['ways_different'])}."
              for figures in results if figures.get("ways_different")]
    notes += [f"{figures['model']}: from `intact run --reference`, which sums in double, Intact differs by "
              f"{figures['from_reference']:.2g} and ONNX Runtime by {figures['onnxruntime_from_reference']:.2g}."
              for figures in results if "from_reference" in figures]
    text = "\n\n".join([environment.describe(conditions), table(results), *notes])
    environment.write_results(arguments, text, {**conditions, "results": results})
    return 0 if all(figures.get("met") for figures in results) else 1


if __name__ == "__main__":
    sys.exit(main())
