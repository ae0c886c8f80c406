#!/usr/bin/python3
"""Trains the small digit classifier of this folder and writes every file that belongs to it.

The network is small enough to live in the repository and still has what makes int8 inference
interesting: depthwise convolutions, two residual additions, a concatenation, Relu and Relu6,
global pooling and Gemm. The ONNX file is built node by node with readable names, batch
normalization folded into the convolutions. Seeds are fixed and one thread is used, so that the
same packages on the same machine give the same bytes.

Needs Debian's python3-sklearn (the images), python3-torch (training) and python3-onnx (the format).
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

SIDE = 16
CLASSES = 10
CALIBRATION_IMAGES = 100
TEST_IMAGES = 320
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def load_images(seed):
    """Returns (train, calibration, test), each a pair (images, labels).

    Images are float32 [M,1,16,16] in 0..1, labels int64 [M]. No image is in two of the sets.
    """
    data = load_digits()
    small = torch.from_numpy(data.images.astype(np.float32) / 16).unsqueeze(1)
    images = F.interpolate(small, size=(SIDE, SIDE), mode="bilinear", align_corners=False).numpy()
    labels = data.target.astype(np.int64)
    rest, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_IMAGES, stratify=labels, random_state=seed)
    train, calibration = train_test_split(
        rest, test_size=CALIBRATION_IMAGES, stratify=labels[rest], random_state=seed)
    return tuple((images[part], labels[part]) for part in (train, calibration, test))


class ConvUnit(nn.Module):
    """Convolution, batch normalization and an activation ("Relu", "Relu6" or None)."""

    def __init__(self, inputs, outputs, kernel, activation, stride=1, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.activation = activation

    def forward(self, x):
        x = self.norm(self.conv(x))
        if self.activation == "Relu":
            return F.relu(x)
        return F.relu6(x) if self.activation == "Relu6" else x

    def folded(self):
        """Weights and bias of the one convolution that equals convolution and normalization."""
        norm = self.norm
        factor = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
        weight = self.conv.weight.double() * factor[:, None, None, None]
        bias = norm.bias.double() - norm.running_mean.double() * factor
        return weight.float().detach().numpy(), bias.float().detach().numpy()


class DigitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = ConvUnit(1, 32, 3, "Relu6")
        self.expand = ConvUnit(32, 96, 1, "Relu6")
        self.depthwise = ConvUnit(96, 96, 3, "Relu6", groups=96)
        self.project = ConvUnit(96, 32, 1, None)
        self.branch1x1 = ConvUnit(32, 32, 1, "Relu")
        self.branch3x3 = ConvUnit(32, 32, 3, "Relu")
        self.reduce_depthwise = ConvUnit(64, 64, 3, "Relu6", stride=2, groups=64)
        self.reduce_pointwise = ConvUnit(64, 64, 1, "Relu")
        self.residual_conv1 = ConvUnit(64, 64, 3, "Relu")
        self.residual_conv2 = ConvUnit(64, 64, 3, None)
        self.features = ConvUnit(64, 128, 1, "Relu")
        self.classifier = nn.Linear(128, CLASSES)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.project(self.depthwise(self.expand(x)))
        x = torch.cat([self.branch1x1(x), self.branch3x3(x)], dim=1)
        x = self.reduce_pointwise(self.reduce_depthwise(x))
        x = F.relu(x + self.residual_conv2(self.residual_conv1(x)))
        x = self.features(x).mean(dim=(2, 3))
        return self.classifier(x)


def distort(images, generator):
    """Shifts, rotates, scales and shears each image a little.

    The few training images alone would be learnt by heart.
    """
    count = images.shape[0]

    def uniform(limit):
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    angle, shear = uniform(0.2), uniform(0.15)
    scale_x, scale_y = 1 + uniform(0.12), 1 + uniform(0.12)
    rows = torch.stack([
        torch.stack([torch.cos(angle) * scale_x, shear - torch.sin(angle), uniform(0.12)], dim=1),
        torch.stack([torch.sin(angle), torch.cos(angle) * scale_y, uniform(0.12)], dim=1)], dim=1)
    grid = F.affine_grid(rows, images.shape, align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def train(images, labels, epochs, seed, batch=64):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = DigitNet()
    images, labels = torch.from_numpy(images), torch.from_numpy(labels)
    steps = epochs * (len(labels) // batch)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for epoch in range(epochs):
        net.train()
        total = 0.0
        order = torch.randperm(len(labels), generator=generator)
        for start in range(0, len(labels) - batch + 1, batch):
            pick = order[start:start + batch]
            logits = net(distort(images[pick], generator))
            loss = F.cross_entropy(logits, labels[pick], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        mean = total / (len(labels) // batch)
        print(f"epoch {epoch + 1:2d} of {epochs}: mean loss {mean:.4f}", flush=True)
    return net.eval()


class GraphWriter:
    """Collects ONNX nodes and constants; each method returns the name of what it added."""

    def __init__(self):
        self.nodes, self.constants, self.macs = [], [], 0

    def constant(self, name, value):
        if all(known.name != name for known in self.constants):
            self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def node(self, op, name, inputs, output=None, **attributes):
        output = output or name
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def unit(self, name, unit, x, output_side):
        weight, bias = unit.folded()
        conv = unit.conv
        kernel, padding = conv.kernel_size[0], conv.padding[0]
        self.macs += weight.size * output_side * output_side
        inputs = [x, self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        x = self.node("Conv", name, inputs, kernel_shape=[kernel] * 2, pads=[padding] * 4,
                      strides=list(conv.stride), group=conv.groups)
        if unit.activation == "Relu":
            return self.node("Relu", f"{name}_relu", [x])
        if unit.activation == "Relu6":
            limits = [self.constant("relu6.min", 0.0), self.constant("relu6.max", 6.0)]
            return self.node("Clip", f"{name}_relu6", [x, *limits])
        return x


def to_onnx(net):
    """Returns (model, multiply-adds per image)."""
    graph, half = GraphWriter(), SIDE // 2
    stem = graph.unit("stem", net.stem, "image", SIDE)
    x = graph.unit("expand", net.expand, stem, SIDE)
    x = graph.unit("depthwise", net.depthwise, x, SIDE)
    x = graph.unit("project", net.project, x, SIDE)
    x = graph.node("Add", "inverted_add", [stem, x])
    left = graph.unit("branch1x1", net.branch1x1, x, SIDE)
    right = graph.unit("branch3x3", net.branch3x3, x, SIDE)
    x = graph.node("Concat", "branches", [left, right], axis=1)
    x = graph.unit("reduce_depthwise", net.reduce_depthwise, x, half)
    shortcut = graph.unit("reduce_pointwise", net.reduce_pointwise, x, half)
    x = graph.unit("residual_conv1", net.residual_conv1, shortcut, half)
    x = graph.unit("residual_conv2", net.residual_conv2, x, half)
    x = graph.node("Add", "residual_add", [shortcut, x])
    x = graph.node("Relu", "residual_relu", [x])
    x = graph.unit("features", net.features, x, half)
    x = graph.node("GlobalAveragePool", "pool", [x])
    x = graph.node("Flatten", "flatten", [x], axis=1)
    weight = net.classifier.weight.detach().numpy()
    graph.macs += weight.size
    inputs = [x, graph.constant("classifier.weight", weight),
              graph.constant("classifier.bias", net.classifier.bias.detach().numpy())]
    graph.node("Gemm", "classifier", inputs, output="logits", transB=1)

    body = helper.make_graph(
        graph.nodes, "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES])],
        initializer=graph.constants)
    opset = helper.make_opsetid("", 13)
    model = helper.make_model(body, opset_imports=[opset], producer_name="digits")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model, graph.macs


def accuracy(net, images, labels):
    with torch.no_grad():
        return float((net(torch.from_numpy(images)).argmax(1).numpy() == labels).mean())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    training, calibration, test = load_images(options.seed)
    net = train(*training, options.epochs, options.seed)
    model, macs = to_onnx(net)

    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "digits.onnx").write_bytes(model.SerializeToString(deterministic=True))
    np.save(options.output / "digits_calibration.npy", calibration[0])
    np.save(options.output / "digits_test.npy", test[0])
    (options.output / "digits_test_labels.txt").write_text(
        "".join(f"{label}\n" for label in test[1]))
    (options.output / "digits_labels.tsv").write_text(
        "".join(f"{index}\t{name}\n" for index, name in enumerate(NAMES)))

    print(f"accuracy: training {accuracy(net, *training):.4f}, test {accuracy(net, *test):.4f}")
    trained = [constant.dims for constant in model.graph.initializer if constant.dims]
    print(f"multiply-adds per image: {macs}, parameters: {sum(int(np.prod(d)) for d in trained)}")


if __name__ == "__main__":
    main()
