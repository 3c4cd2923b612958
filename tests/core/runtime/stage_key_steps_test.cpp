// What is measured under one key is the same work.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/cost/signature/signature.hpp"
#include "core/graph/early_relu.hpp"
#include "core/runtime/program/gpu_lowering.hpp"
#include "core/runtime/program/program.hpp"
#include "networks/network.hpp"
#include "schedulers/ios/space.hpp"

namespace opsched {
namespace {

std::string shape_text(const Program& program, const View& view) {
  const Shape shape = shape_of(program, view);
  return std::to_string(shape.c) + "x" + std::to_string(shape.h) + "x" + std::to_string(shape.w);
}

/// Kinds and shapes of the steps, in an order that depends on nothing else.
std::string steps_text(const Program& program) {
  std::vector<std::string> steps;
  for (const Step& step : program.steps) {
    std::string text = std::to_string(static_cast<int>(step.kind)) + ": ";
    for (const View& input : step.inputs) text += shape_text(program, input) + " ";
    text += "-> " + shape_text(program, step.output);
    if (step.residual) text += " + residual";
    if (step.kind == Step::Kind::pool && !step.weights.empty()) text += " + bias";
    steps.push_back(std::move(text));
  }
  std::ranges::sort(steps);
  std::string all;
  for (const std::string& step : steps) all += step + "\n";
  return all;
}

/// Stages of the search space that have one key have the same steps, whatever reads their outputs.
void expect_one_program_a_key(const Graph& graph, Precision precision) {
  const StageSigner signer(graph);
  std::map<std::string, std::string> steps;
  int fused = 0, again = 0;
  for (const IosPart& part : ios_parts(graph, 12)) {
    const IosSpace space(part, {});
    const int stride = std::max(1, space.stages() / 300);
    for (int i = 0; i < space.stages(); i += stride) {
      const Stage stage = space.stage(i);
      if (stage.is_merge()) continue;  // their keys hold their readers (merge_layout_test.cpp)
      const Stage stages[] = {stage};
      const std::string text = steps_text(lower_stages(graph, stages, 1, lowering_for(precision, Waits::needed)));
      const auto [it, fresh] = steps.try_emplace(signer.stage(stage), text);
      EXPECT_EQ(it->second, text) << it->first;
      again += !fresh;
      fused += text.find(" + ") != std::string::npos;
    }
  }
  EXPECT_GT(fused, 0) << graph.name();
  EXPECT_GT(again, 0) << graph.name();
}

TEST(StageKeys, DecideTheSteps) {
  for (const char* name : {"squeezenet", "nasnet", "inception_v3"}) {
    const Graph network = make_network(name, {.batch = 2, .image = 80});
    expect_one_program_a_key(network, Precision::fp16);
    expect_one_program_a_key(*with_early_relu(network), Precision::fp32);
  }
}

}  // namespace
}  // namespace opsched
