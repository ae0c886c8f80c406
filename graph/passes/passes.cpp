// The lists of passes, in order.
#include "graph/passes/passes.hpp"

#include <array>

#include "graph/passes/invariants.hpp"

namespace intact {
namespace {

constexpr std::array canonical = {
    Pass{"widen_halves", widen_halves},
    // Scales and quantized weights may hide behind these.
    Pass{"remove_identities", remove_identities},
    Pass{"fold_parameters", fold_parameters},
    Pass{"inline_branches", inline_branches},
    Pass{"import_quantization", import_quantization},
    // Weights reach their grids here.
    Pass{"fold_constants", fold_constants},
    Pass{"multiply_dynamic_bytes", multiply_dynamic_bytes},
    Pass{"cancel_bytes", cancel_bytes},
    Pass{"gather_bytes", gather_bytes},
    Pass{"fold_bias", fold_bias},
    Pass{"fold_batch_normalization", fold_batch_normalization},
    Pass{"fold_pad", fold_pad},
    Pass{"remove_dead_code", remove_dead_code},
    Pass{"propagate_grids", propagate_grids},
    // No Round stands between what only moves data any more.
    Pass{"fold_space_to_depth", fold_space_to_depth},
    Pass{"split_products", split_products},
    Pass{"canonicalize_subgraphs", canonicalize_subgraphs},
};

constexpr std::array reading_shapes = {
    Pass{"pair_operands", pair_operands},
    // Casts, now that types are known.
    Pass{"remove_identities", remove_identities},
    Pass{"fold_pad", fold_pad},
    Pass{"drop_expands", drop_expands},
    Pass{"recognize_operators", recognize_operators},
    Pass{"pull_factors", pull_factors},
    Pass{"replace_trilu", replace_trilu},
};

constexpr std::array moving = {
    Pass{"hoist_functions", hoist_functions},
    Pass{"hoist_rounds", hoist_rounds},
    Pass{"remove_dead_code", remove_dead_code},
    Pass{"propagate_grids", propagate_grids},
};

void run_in_order(std::span<const Pass> passes, Graph& graph) {
#ifndef NDEBUG
  const std::vector<std::string> sources = all_sources(graph);
  for (const Pass& pass : passes) {
    pass.run(graph);
    graph.check(&sources);
    check_grids(graph);
  }
#else
  for (const Pass& pass : passes) pass.run(graph);
#endif
}

}  // namespace

std::span<const Pass> canonical_passes() {
  return canonical;
}

void canonicalize(Graph& graph) {
  run_in_order(canonical, graph);
#ifndef NDEBUG
  check_canonical(graph);
#endif
}

void run_shaped_passes(Graph& graph, const PartOfConstant& part_of_constant) {
  run_in_order(reading_shapes, graph);
  split_products(graph, part_of_constant);  // along axes that are known by now
  run_in_order(moving, graph);
}

}  // namespace intact
