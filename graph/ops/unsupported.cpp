// Operators of the standard that are left out on purpose, and why: what a message can say beyond
// "not supported", and what docs/coverage.md lists.

#include "graph/ops/unsupported.hpp"

namespace intact {
namespace {

constexpr std::string_view strings = "it works on strings, and tensors hold numbers";
constexpr std::string_view classic =
    "classic machine learning (trees, encoders, maps) is not what this engine is for";
constexpr std::string_view training = "it differentiates a graph, which is part of training";

constexpr UnsupportedOperator list[] = {
    {"ImageDecoder", "", "decoding image files is left to the program that calls the model"},
    {"MaxRoiPool", "", "no published model was found that uses it; RoiAlign is there"},
    {"RegexFullMatch", "", strings},
    {"StringConcat", "", strings},
    {"StringNormalizer", "", strings},
    {"StringSplit", "", strings},
    {"Adam", "ai.onnx.preview.training",
     "ONNX's own case expects an epsilon that neither its model nor the standard states"},
    {"Gradient", "ai.onnx.preview.training", training},
    {"ArrayFeatureExtractor", "ai.onnx.ml", classic},
    {"Binarizer", "ai.onnx.ml", classic},
    {"CastMap", "ai.onnx.ml", classic},
    {"CategoryMapper", "ai.onnx.ml", classic},
    {"DictVectorizer", "ai.onnx.ml", classic},
    {"FeatureVectorizer", "ai.onnx.ml", classic},
    {"Imputer", "ai.onnx.ml", classic},
    {"LabelEncoder", "ai.onnx.ml", classic},
    {"LinearClassifier", "ai.onnx.ml", classic},
    {"LinearRegressor", "ai.onnx.ml", classic},
    {"Normalizer", "ai.onnx.ml", classic},
    {"OneHotEncoder", "ai.onnx.ml", classic},
    {"SVMClassifier", "ai.onnx.ml", classic},
    {"SVMRegressor", "ai.onnx.ml", classic},
    {"Scaler", "ai.onnx.ml", classic},
    {"TreeEnsemble", "ai.onnx.ml", classic},
    {"TreeEnsembleClassifier", "ai.onnx.ml", classic},
    {"TreeEnsembleRegressor", "ai.onnx.ml", classic},
    {"ZipMap", "ai.onnx.ml", classic},
};

}  // namespace

std::span<const UnsupportedOperator> unsupported_operators() {
  return list;
}

}  // namespace intact
