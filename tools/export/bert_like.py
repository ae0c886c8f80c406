#!/usr/bin/env python3
"""Exports a BERT-like encoder with seeded random weights: embeddings, layers of attention and
feed-forward with residual additions and layer normalization, as transformers libraries write them.

    bert_like.py bert.onnx                                        2 layers, 768 wide, sequence 128
    bert_like.py minilm.onnx --layers 6 --width 384 --feed-forward 1536
    bert_like.py bert.onnx --samples samples --intact build/release/intact
                             also bert.static.onnx and bert.dynamic.onnx, by `intact quantize`

Needs torch and numpy. The same arguments give the same file. Random weights have the scales of
trained ones, so that activations spread as they do in practice: a few strong channels, attention
that is neither uniform nor a single position.
"""
import argparse
import pathlib
import subprocess

import numpy
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))

    def split(self, x):
        batch, sequence, width = x.shape
        return x.view(batch, sequence, self.heads, width // self.heads).permute(0, 2, 1, 3)

    def forward(self, x, mask):
        query, key, value = (self.split(f(x)) for f in (self.query, self.key, self.value))
        scores = torch.matmul(query, key.transpose(-1, -2)) / query.shape[-1] ** 0.5
        context = torch.matmul(torch.softmax(scores + mask, dim=-1), value)
        return self.output(context.permute(0, 2, 1, 3).reshape(x.shape))


class Layer(nn.Module):
    def __init__(self, width, heads, feed_forward, epsilon):
        super().__init__()
        self.attention = Attention(width, heads)
        self.first, self.second = (nn.LayerNorm(width, epsilon) for _ in range(2))
        self.wide, self.narrow = nn.Linear(width, feed_forward), nn.Linear(feed_forward, width)

    def forward(self, x, mask):
        x = self.first(x + self.attention(x, mask))
        return self.second(x + self.narrow(nn.functional.gelu(self.wide(x))))


class Encoder(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.words = nn.Embedding(options.vocabulary, options.width)
        self.positions = nn.Embedding(options.positions, options.width)
        self.norm = nn.LayerNorm(options.width, options.epsilon)
        self.layers = nn.ModuleList(
            Layer(options.width, options.heads, options.feed_forward, options.epsilon)
            for _ in range(options.layers))

    def forward(self, input_ids, attention_mask):
        positions = torch.arange(input_ids.shape[1]).unsqueeze(0)
        x = self.norm(self.words(input_ids) + self.positions(positions))
        mask = (1.0 - attention_mask[:, None, None, :].to(torch.float32)) * -10000.0
        for layer in self.layers:
            x = layer(x, mask)
        return x


def set_weights(model, seed):
    random = torch.Generator().manual_seed(seed)

    def normal(tensor, deviation, mean=0.0):
        tensor.data.copy_(torch.randn(tensor.shape, generator=random) * deviation + mean)

    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            # Queries and keys with larger weights: scores spread by a few units.
            strength = 1.5 if name.endswith(("query", "key")) else 1.0
            normal(module.weight, strength * module.in_features ** -0.5)
            normal(module.bias, 0.05)
        elif isinstance(module, nn.LayerNorm):
            normal(module.weight, 0.1, 1.0)
            normal(module.bias, 0.1)
            module.weight.data[:: module.weight.numel() // 4] *= 3
        elif isinstance(module, nn.Embedding):
            normal(module.weight, 0.5)


def write_samples(options):
    """One array per input, samples along the first axis; sequences of different lengths."""
    random = numpy.random.default_rng(options.seed + 1)
    lengths = random.integers(options.sequence // 4, options.sequence + 1, (options.count, 1))
    shape = options.count, options.sequence
    options.samples.mkdir(parents=True, exist_ok=True)
    numpy.save(options.samples / "input_ids.npy", random.integers(0, options.vocabulary, shape))
    numpy.save(options.samples / "attention_mask.npy",
               (numpy.arange(options.sequence) < lengths).astype(numpy.int64))


def export(model, options):
    ids = torch.zeros(1, options.sequence, dtype=torch.int64)
    axes = {0: "batch", 1: "sequence"} if options.dynamic_axes else {}
    names = ["input_ids", "attention_mask"]
    torch.onnx.export(
        model, (ids, torch.ones_like(ids)), options.output, input_names=names,
        output_names=["last_hidden_state"], opset_version=options.opset,
        dynamic_axes={name: axes for name in [*names, "last_hidden_state"]} if axes else None)


def quantize(options):
    for mode in ("static", "dynamic"):
        command = [options.intact, "quantize", options.output, "--mode", mode,
                   "--output", options.output.with_suffix(f".{mode}.onnx")]
        if mode == "static":
            command += ["--calibration", options.samples]
        subprocess.run([str(argument) for argument in command], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--feed-forward", type=int, default=3072)
    parser.add_argument("--sequence", type=int, default=128)
    parser.add_argument("--vocabulary", type=int, default=1000)
    parser.add_argument("--epsilon", type=float, default=1e-5, help="of LayerNormalization")
    parser.add_argument("--opset", type=int, default=17, help="13 spells out LayerNormalization")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dynamic-axes", action="store_true", help="symbolic batch and sequence")
    parser.add_argument("--samples", type=pathlib.Path, help="folder for inputs, as .npy")
    parser.add_argument("--count", type=int, default=16, help="of samples")
    parser.add_argument("--intact", type=pathlib.Path, help="program that quantizes")
    options = parser.parse_args()
    if options.intact and not options.samples:
        parser.error("--intact needs --samples to calibrate with")
    options.positions = options.sequence
    model = Encoder(options).eval()
    set_weights(model, options.seed)
    export(model, options)
    if options.samples:
        write_samples(options)
    if options.intact:
        quantize(options)


if __name__ == "__main__":
    main()
