// Einsum that is a product of matrices: grids pass through to the product.
#include "fold_case.hpp"
#include "tests/engine/model_run.hpp"

namespace intact::testing {
namespace {

using U = std::uint8_t;
using S = std::int8_t;

/// An activation on a grid.
template <class T>
ValueId activation(ModelBuilder& b, const std::string& name, const Shape& shape, FoldModel& model,
                   unsigned seed) {
  model.inputs.push_back(random_integers<T>(shape, seed));
  return b.dequantize(name + ".dq", b.input(name, element_type_of<T>(), shape), 0.021f,
                      static_cast<T>(std::is_signed_v<T> ? -5 : 121));
}

template <class T>
FoldModel finish(ModelBuilder& b, FoldModel model, const std::string& equation,
                 std::vector<ValueId> operands) {
  const ValueId y = b.node("Einsum", "einsum", std::move(operands), {{"equation", equation}});
  model.outputs = {b.round("y", y, 0.067f, static_cast<T>(std::is_signed_v<T> ? 3 : 130))};
  return model;
}

/// Two activations.
template <class T>
FoldCase activations(const std::string& name, const std::string& equation, const Shape& x,
                     const Shape& y) {
  return {name, [=](ModelBuilder& b) {
            FoldModel model;
            const ValueId first = activation<T>(b, "a", x, model, 3),
                          second = activation<T>(b, "b", y, model, 4);
            return finish<T>(b, std::move(model), equation, {first, second});
          }};
}

/// An activation and weights with one scale per index of `axis`; -1: one for all.
FoldCase weighted(const std::string& name, const std::string& equation, const Shape& x,
                  const Shape& w, int axis, bool weights_first = false) {
  return {name, [=](ModelBuilder& b) {
            FoldModel model;
            const ValueId data = activation<U>(b, "a", x, model, 3);
            const ValueId integers = b.constant("w", random_integers<S>(w, 5));
            const Shape scales = axis < 0 ? Shape{} : Shape{w[static_cast<std::size_t>(axis)]};
            const ValueId scale = b.constant("s", random_floats(scales, 6, 0.005f, 0.015f));
            const ValueId weights = b.node("DequantizeLinear", "w.dq", {integers, scale},
                                           {{"axis", std::int64_t{std::max(axis, 0)}}});
            return finish<U>(
                b, std::move(model), equation,
                weights_first ? std::vector{weights, data} : std::vector{data, weights});
          }};
}

/// Attention: both products are Einsum.
FoldModel attention(ModelBuilder& b) {
  FoldModel model;
  const Shape shape = {2, 9, 3, 16};
  const ValueId q = activation<U>(b, "q", shape, model, 3),
                k = activation<U>(b, "k", shape, model, 4),
                v = activation<U>(b, "v", shape, model, 5);
  const ValueId scores =
      b.node("Einsum", "scores", {q, k}, {{"equation", std::string("bqhd,bkhd->bhqk")}});
  const ValueId scaled = b.node("Mul", "scale", {scores, b.scalar("factor", 0.25f)});
  const ValueId p = b.round(
      "p", b.node("Softmax", "softmax", {scaled}, {{"axis", std::int64_t{-1}}}), 1.0f / 255, U{0});
  return finish<U>(b, std::move(model), "bhqk,bkhd->bqhd", {p, v});
}

}  // namespace

std::vector<FoldCase> einsum_cases() {
  return {
      activations<U>("einsum_scores", "bhqd,bhkd->bhqk", {2, 3, 9, 16}, {2, 3, 7, 16}),
      activations<S>("einsum_scores_heads_inside", "bqhd,bkhd->bhqk", {2, 9, 3, 16}, {2, 7, 3, 16}),
      activations<U>("einsum_context", "bhqk,bkhd->bqhd", {2, 3, 9, 7}, {2, 7, 3, 16}),
      activations<U>("einsum_relative_positions", "bhqd,qkd->bhqk", {2, 3, 9, 16}, {9, 7, 16}),
      activations<U>("einsum_masks", "bqc,bchw->bqhw", {2, 5, 8}, {2, 8, 6, 7}),
      activations<U>("einsum_elementwise", "bchw,bc->bchw", {2, 5, 6, 7}, {2, 5}),
      activations<S>("einsum_matrices", "ij,jk->ik", {9, 16}, {16, 7}),
      weighted("einsum_linear", "b...i,ij->b...j", {2, 5, 24}, {24, 40}, 1),
      weighted("einsum_heads_out", "bld,dhe->blhe", {2, 5, 24}, {24, 3, 8}, -1),
      weighted("einsum_heads_out_per_channel", "bld,dhe->blhe", {2, 5, 24}, {24, 3, 8}, 2),
      weighted("einsum_heads_out_per_head", "bld,dhe->blhe", {2, 5, 24}, {24, 3, 8}, 1),
      weighted("einsum_heads_in", "blhe,hed->bld", {2, 5, 3, 8}, {3, 8, 24}, 2),
      weighted("einsum_pointwise", "nchw,oc->nohw", {2, 16, 5, 6}, {24, 16}, 0),
      weighted("einsum_weights_first", "oc,ncl->nol", {2, 16, 11}, {24, 16}, 0, true),
      weighted("einsum_per_head_weights", "bhd,hde->bhe", {5, 3, 16}, {3, 16, 8}, -1),
      {"einsum_attention", attention},
  };
}

}  // namespace intact::testing
