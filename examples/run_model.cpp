// Runs a model once on random numbers and prints the greatest value of its first output.
#include <algorithm>
#include <cstdio>
#include <intact/intact.hpp>
#include <random>

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: run_model MODEL\n"), 2;
  try {
    const auto session = intact::Session::load(argv[1]);
    const auto shapes = session.default_shapes();

    std::vector<intact::Tensor> inputs;
    std::mt19937 generator(1);
    std::uniform_real_distribution<float> uniform(0, 1);
    for (const auto& shape : shapes) {
      inputs.emplace_back(intact::ElementType::f32, shape);
      for (float& value : inputs.back().data<float>()) value = uniform(generator);
    }

    const auto outputs = session.run(inputs);
    const auto scores = outputs[0].data<float>();
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    std::printf("output %s: greatest value %g at %td\n",
                intact::to_string(outputs[0].shape()).c_str(), scores[best], best);

    const auto flow = session.flow();
    std::printf("%d operators on int8, %d on float\n", flow.int8_nodes, flow.float_nodes);
  } catch (const intact::Error& error) {
    return std::fprintf(stderr, "error: %s\n", error.what()), 1;
  }
}
