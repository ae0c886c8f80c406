#!/usr/bin/env python3
"""Exports the nets that bench/peers.py compares, and quantizes them; lists those of the test data with them.

Weights are random, so the files serve for time and for dataflow, not for accuracy; batch normalization gets the
statistics of real activations, so that ranges look like those of trained nets. Needs Debian's python3-torch and
python3-torchvision; quantization by ONNX Runtime's tool runs in the virtual environment of bench/peers.py.
See bench/README.md.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import environment

DEBIAN_PYTHON = "/usr/bin/python3"
CALIBRATION_SAMPLES = 8
OPSET = 17


# --- nets in torch


def silu_detector():
    """A one-shot detector in the manner of small YOLO nets: SiLU behind every convolution, CSP blocks, a pyramid
    of three levels with nearest resizing and Concat; 640x640 in, 84 values for each place of three grids out."""
    import torch
    from torch import nn

    class Conv(nn.Sequential):
        def __init__(self, inputs, outputs, kernel=1, stride=1):
            super().__init__(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
                             nn.BatchNorm2d(outputs), nn.SiLU())

    class Block(nn.Module):
        """Cross-stage partial block: half of the channels pass by, the other half go through bottlenecks."""

        def __init__(self, inputs, outputs, depth, shortcut):
            super().__init__()
            half = outputs // 2
            self.split, self.passing = Conv(inputs, half), Conv(inputs, half)
            self.bottlenecks = nn.ModuleList(nn.Sequential(Conv(half, half, 3), Conv(half, half, 3)) for _ in range(depth))
            self.join, self.shortcut = Conv(2 * half, outputs), shortcut

        def forward(self, x):
            y = self.split(x)
            for bottleneck in self.bottlenecks:
                y = y + bottleneck(y) if self.shortcut else bottleneck(y)
            return self.join(torch.cat([y, self.passing(x)], 1))

    class Pooling(nn.Module):
        """Spatial pyramid: three max pools in a row, all joined."""

        def __init__(self, channels):
            super().__init__()
            self.reduce, self.join = Conv(channels, channels // 2), Conv(2 * channels, channels)
            self.pool = nn.MaxPool2d(5, 1, 2)

        def forward(self, x):
            steps = [self.reduce(x)]
            for _ in range(3):
                steps.append(self.pool(steps[-1]))
            return self.join(torch.cat(steps, 1))

    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(Conv(3, 16, 3, 2), Conv(16, 32, 3, 2), Block(32, 32, 1, True))
            self.level3 = nn.Sequential(Conv(32, 64, 3, 2), Block(64, 64, 2, True))
            self.level4 = nn.Sequential(Conv(64, 128, 3, 2), Block(128, 128, 2, True))
            self.level5 = nn.Sequential(Conv(128, 256, 3, 2), Block(256, 256, 1, True), Pooling(256))
            self.resize = nn.Upsample(scale_factor=2, mode="nearest")
            self.up4, self.up3 = Block(384, 128, 1, False), Block(192, 64, 1, False)
            self.down3, self.down4 = Conv(64, 64, 3, 2), Conv(128, 128, 3, 2)
            self.out4, self.out5 = Block(192, 128, 1, False), Block(384, 256, 1, False)
            self.heads = nn.ModuleList(nn.Sequential(Conv(channels, 64, 3), Conv(64, 64, 3), nn.Conv2d(64, 84, 1))
                                       for channels in (64, 128, 256))

        def forward(self, x):
            x3 = self.level3(self.stem(x))
            x4 = self.level4(x3)
            x5 = self.level5(x4)
            y4 = self.up4(torch.cat([self.resize(x5), x4], 1))
            y3 = self.up3(torch.cat([self.resize(y4), x3], 1))
            y4 = self.out4(torch.cat([self.down3(y3), y4], 1))
            y5 = self.out5(torch.cat([self.down4(y4), x5], 1))
            return tuple(head(y) for head, y in zip(self.heads, (y3, y4, y5)))

    return Detector(), (1, 3, 640, 640)


def classifier(name, **settings):
    def make():
        import torchvision
        return getattr(torchvision.models, name)(weights=None, **settings), (1, 3, 224, 224)
    return make


NETS = {
    "resnet50": classifier("resnet50"),
    "resnet18": classifier("resnet18"),
    "resnext50": classifier("resnext50_32x4d"),
    "densenet121": classifier("densenet121"),
    "googlenet": classifier("googlenet", aux_logits=False, init_weights=True),
    "squeezenet1_1": classifier("squeezenet1_1"),
    "mobilenet_v2": classifier("mobilenet_v2"),
    "mobilenet_v3_large": classifier("mobilenet_v3_large"),
    "shufflenet_v2_x1": classifier("shufflenet_v2_x1_0"),
    "efficientnet_b0": classifier("efficientnet_b0"),
    "silu_detector": silu_detector,
}

# Arguments of tools/export/bert_like.py.
ENCODERS = {
    "bert_2x768": [],
    "minilm_6x384": ["--layers", "6", "--width", "384", "--feed-forward", "1536"],
}


# --- float files


def smooth_noise(shape, generator):
    """Random samples whose neighbouring pixels resemble each other as in photos; mean 0, deviation about 1."""
    import torch
    size = shape[-2:]
    sample = sum(torch.nn.functional.interpolate(torch.randn(*shape[:2], *(max(1, e // step) for e in size),
                                                             generator=generator), size=size, mode="bilinear")
                 for step in (1, 4, 16))
    return sample / sample.std()


def use_real_statistics(net, shape, generator):
    """Sets mean and variance of every batch normalization to those of its input over a few samples."""
    import torch
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean of all batches
    net.train()
    with torch.no_grad():
        for _ in range(2):
            net(smooth_noise((4, *shape[1:]), generator))
    net.eval()


def samples_of(path):
    return path.with_suffix(".samples")


def export_encoder(name, path):
    script = environment.ROOT / "tools" / "export" / "bert_like.py"
    subprocess.run([sys.executable, script, path, "--samples", samples_of(path), "--count", str(CALIBRATION_SAMPLES),
                    *ENCODERS[name]], check=True)


def export(name, path):
    if name in ENCODERS:
        return export_encoder(name, path)
    import numpy
    import torch
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(2)
    net, shape = NETS[name]()
    use_real_statistics(net, shape, generator)
    samples = [smooth_noise(shape, generator) for _ in range(CALIBRATION_SAMPLES)]
    # The batch is free, so that the same files serve for batch 8.
    torch.onnx.export(net, samples[0], path, opset_version=OPSET, input_names=["input"],
                      dynamic_axes={"input": {0: "batch"}})
    numpy.save(path.with_suffix(".npy"), torch.cat(samples).numpy())


# --- int8 files, in the virtual environment


def calibration(path):
    """The samples of a net, each {input: array}."""
    import numpy
    folder = samples_of(path)
    inputs = ({file.stem: numpy.load(file) for file in folder.glob("*.npy")} if folder.exists()
              else {"input": numpy.load(path.with_suffix(".npy"))})
    count = min(len(array) for array in inputs.values())
    return [{name: array[i:i + 1] for name, array in inputs.items()} for i in range(count)]


def quantize_dynamic(path, quantized):
    """As ONNX Runtime's tool does it: DynamicQuantizeLinear and integer products, s8 weights per channel."""
    from onnxruntime import quantization
    quantization.quantize_dynamic(str(path), str(quantized), per_channel=True,
                                  weight_type=quantization.QuantType.QInt8)


def quantize(path, quantized):
    """Static, as ONNX Runtime's tool does it: QDQ, u8 activations, s8 weights per channel."""
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        rest = iter(calibration(path))

        def get_next(self):
            return next(self.rest, None)

    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    quantization.quantize_static(str(prepared), str(quantized), Reader(), quant_format=quantization.QuantFormat.QDQ,
                                 activation_type=quantization.QuantType.QUInt8,
                                 weight_type=quantization.QuantType.QInt8, per_channel=True)
    prepared.unlink()


def form_files(name):
    files = {"float": f"{name}.onnx", "int8": f"{name}-int8.onnx"}
    return files | ({"dynamic": f"{name}-dynamic.onnx"} if name in ENCODERS else {})


def test_data_nets(arguments):
    """The nets of the test data, in the forms they have there; yolox_nano is quantized by Intact."""
    data = environment.test_data()
    if data is None:
        return {}
    models = (data / "models").resolve()
    yolox = arguments.output / "yolox_nano-int8.onnx"
    if not yolox.exists():
        preprocess = arguments.output / "yolox_nano.json"
        preprocess.write_text(json.dumps({"resize": 416, "crop": 416, "channels": "bgr"}))
        subprocess.run([environment.find_intact(arguments.intact), "quantize", models / "yolox_nano.onnx",
                        "--mode", "static", "--calibration", data / "images" / "coco50", "--preprocess", preprocess,
                        "--output", yolox], check=True)
    return {"yolox_nano": {"float": str(models / "yolox_nano.onnx"), "int8": yolox.name},
            "mobilenetv2-12": {"float": str(models / "mobilenetv2-12-float.onnx"),
                               "int8": str(models / "mobilenetv2-12-qdq.onnx"),
                               "dynamic": str(models / "mobilenetv2-12-dynint8-s8w.onnx")}}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="*", metavar="NET", help=f"of {', '.join([*NETS, *ENCODERS])} (default: all)")
    parser.add_argument("--output", type=pathlib.Path, default=environment.ROOT / "build" / "nets")
    environment.add_venv_argument(parser)
    parser.add_argument("--intact", type=pathlib.Path, help="the program (default: build/release/intact)")
    parser.add_argument("--quantize", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.nets) - set(NETS) - set(ENCODERS)
    if unknown:
        parser.error(f"no net {', '.join(sorted(unknown))}; there are {', '.join([*NETS, *ENCODERS])}")
    return arguments


def enter_debian_python():
    """Runs this script again with Debian's Python where the running one has no torch."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        if os.path.realpath(sys.executable) == os.path.realpath(DEBIAN_PYTHON) or not os.path.exists(DEBIAN_PYTHON):
            sys.exit("error: torch or torchvision is missing; on Debian install python3-torch and python3-torchvision")
        os.execv(DEBIAN_PYTHON, [DEBIAN_PYTHON, *sys.argv])


def main():
    arguments = parse_arguments()
    names = arguments.nets or [*NETS, *ENCODERS]
    if arguments.quantize:
        environment.enter_venv(arguments.venv)
        for name in names:
            files = form_files(name)
            if not (arguments.output / files["int8"]).exists():
                print(f"quantizing {name}", file=sys.stderr)
                quantize(arguments.output / files["float"], arguments.output / files["int8"])
            if "dynamic" in files and not (arguments.output / files["dynamic"]).exists():
                quantize_dynamic(arguments.output / files["float"], arguments.output / files["dynamic"])
        return
    enter_debian_python()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = arguments.output / form_files(name)["float"]
        if not path.exists():
            print(f"exporting {name}", file=sys.stderr)
            export(name, path)
    subprocess.run([sys.executable, __file__, "--quantize", "--output", arguments.output, "--venv", arguments.venv, *names],
                   check=True)
    manifest = arguments.output / "nets.json"
    known = json.loads(manifest.read_text()) if manifest.exists() else {}
    exported = {name: form_files(name) for name in names}
    manifest.write_text(json.dumps(known | exported | test_data_nets(arguments), indent=2) + "\n")


if __name__ == "__main__":
    main()
