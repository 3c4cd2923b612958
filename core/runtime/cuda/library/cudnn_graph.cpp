#include "core/runtime/cuda/library/cudnn_graph.hpp"

#include <algorithm>
#include <charconv>

#include "core/error.hpp"
#include "core/runtime/cuda/device/cuda_check.hpp"

namespace opsched::cudnn {

void check(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  cuda_failed(std::string("cuDNN: ") + call + ": " + cudnnGetErrorString(status));
}

Handle::Handle() { check(cudnnCreate(&handle_), "cudnnCreate"); }
Handle::~Handle() { cudnnDestroy(handle_); }

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t raw = nullptr;
  check(cudnnBackendCreateDescriptor(type, &raw), "cudnnBackendCreateDescriptor");
  handle_ = std::shared_ptr<void>(raw, [](void* d) { cudnnBackendDestroyDescriptor(d); });
}

void Descriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                     const void* values) {
  check(cudnnBackendSetAttribute(get(), name, type, count, values), "cudnnBackendSetAttribute");
}

void Descriptor::set(cudnnBackendAttributeName_t name, std::span<const std::int64_t> values) {
  set(name, CUDNN_TYPE_INT64, static_cast<std::int64_t>(values.size()), values.data());
}

void Descriptor::set(cudnnBackendAttributeName_t name, const Descriptor& value) {
  const cudnnBackendDescriptor_t raw = value.get();
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &raw);
}

void Descriptor::set(cudnnBackendAttributeName_t name, std::span<const Descriptor> values) {
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const Descriptor& value : values) raw.push_back(value.get());
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(raw.size()), raw.data());
}

void Descriptor::finalize() { check(cudnnBackendFinalize(get()), "cudnnBackendFinalize"); }

std::int64_t Descriptor::get_int64(cudnnBackendAttributeName_t name) const {
  std::int64_t value = 0, count = 0;
  check(cudnnBackendGetAttribute(get(), name, CUDNN_TYPE_INT64, 1, &count, &value), "cudnnBackendGetAttribute");
  return value;
}

std::vector<Descriptor> Descriptor::get_descriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                                    int capacity) const {
  std::vector<Descriptor> values;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int i = 0; i < capacity; ++i) raw.push_back(values.emplace_back(type).get());
  std::int64_t count = 0;
  check(cudnnBackendGetAttribute(get(), name, CUDNN_TYPE_BACKEND_DESCRIPTOR, capacity, &count, raw.data()),
        "cudnnBackendGetAttribute");
  if (count < capacity) values.resize(count);
  return values;
}

std::string to_string(const EngineChoice& choice) {
  std::string text = std::to_string(choice.engine);
  char separator = ':';
  for (const auto& [knob, value] : choice.knobs) {
    text += separator + std::to_string(knob) + '=' + std::to_string(value);
    separator = ',';
  }
  if (choice.multiprocessors > 0) text += '@' + std::to_string(choice.multiprocessors);
  return text;
}

EngineChoice parse_engine_choice(const std::string& text) {
  EngineChoice choice;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&](auto& value) {
    const auto [next, status] = std::from_chars(at, end, value);
    if (status != std::errc{}) throw Error("'" + text + "' does not name a cuDNN engine");
    at = next;
  };
  const auto skip = [&](char c) {
    if (at == end || *at++ != c) throw Error("'" + text + "' does not name a cuDNN engine");
  };
  number(choice.engine);
  for (char separator = ':'; at != end && *at != '@'; separator = ',') {
    skip(separator);
    auto& [knob, value] = choice.knobs.emplace_back();
    number(knob);
    skip('=');
    number(value);
  }
  if (at != end) {
    skip('@');
    number(choice.multiprocessors);
    if (at != end || choice.multiprocessors < 1) throw Error("'" + text + "' does not name a cuDNN engine");
  }
  return choice;
}

namespace {

EngineChoice read_choice(const Descriptor& config, const Descriptor& engine) {
  EngineChoice choice;
  choice.engine = engine.get_int64(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
  const auto knobs = config.get_descriptors(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR,
                                            CUDNN_KNOB_TYPE_COUNTS);
  for (const Descriptor& knob : knobs) {
    const auto type = knob.get_list<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1);
    choice.knobs.emplace_back(type.at(0), knob.get_int64(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
  }
  return choice;
}

bool is_compiled_late(const Descriptor& engine) {
  const auto notes = engine.get_list<cudnnBackendBehaviorNote_t>(
      CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, CUDNN_BEHAVIOR_NOTE_TYPE_COUNT);
  return std::ranges::find(notes, CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) != notes.end();
}

bool has_note(const Descriptor& engine, std::span<const cudnnBackendNumericalNote_t> notes) {
  const auto present = engine.get_list<cudnnBackendNumericalNote_t>(
      CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  for (const auto a : present) {
    for (const auto b : notes) {
      if (a == b) return true;
    }
  }
  return false;
}

}  // namespace

std::vector<EngineChoice> propose(const Descriptor& graph, cudnnBackendHeurMode_t mode, Most most,
                                  std::span<const cudnnBackendNumericalNote_t> unwanted, std::int32_t multiprocessors) {
  std::vector<EngineChoice> choices;
  std::vector<Descriptor> configs;
  try {
    Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (multiprocessors > 0)
      heuristic.set(CUDNN_ATTR_ENGINEHEUR_SM_COUNT_TARGET, CUDNN_TYPE_INT32, 1, &multiprocessors);
    heuristic.finalize();
    configs =
        heuristic.get_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, 4 * most.all);
  } catch (const DeviceLost&) {
    throw;
  } catch (const Error&) {
    return choices;  // cuDNN's way of saying that it knows no engine
  }
  int compiled = 0;
  for (const Descriptor& config : configs) {
    if (static_cast<int>(choices.size()) == most.all) break;
    try {
      const Descriptor engine =
          config.get_descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1).at(0);
      if (has_note(engine, unwanted)) continue;
      if (is_compiled_late(engine) && ++compiled > most.compiled) continue;
      choices.push_back(read_choice(config, engine));
      choices.back().multiprocessors = multiprocessors;
    } catch (const DeviceLost&) {
      throw;
    } catch (const Error&) {
      continue;  // an unreadable proposal cannot be rebuilt either
    }
  }
  return choices;
}

Descriptor build_plan(const Handle& handle, const Descriptor& graph, const EngineChoice& choice) {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph);
  engine.set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, choice.engine);
  if (choice.multiprocessors > 0)
    engine.set(CUDNN_ATTR_ENGINE_SM_COUNT_TARGET, CUDNN_TYPE_INT32, 1, &choice.multiprocessors);
  engine.finalize();
  std::vector<Descriptor> knobs;
  for (const auto& [type, value] : choice.knobs) {
    const auto knob_type = static_cast<cudnnBackendKnobType_t>(type);
    Descriptor& knob = knobs.emplace_back(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    knob.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &knob_type);
    knob.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, value);
    knob.finalize();
  }
  Descriptor config(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  config.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  if (!knobs.empty()) config.set(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, std::span<const Descriptor>(knobs));
  config.finalize();
  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  const cudnnHandle_t raw = handle.get();
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &raw);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  plan.finalize();
  return plan;
}

Descriptor make_tensor(const TensorSpec& spec) {
  Descriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  tensor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &spec.type);
  tensor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, spec.dims);
  tensor.set(CUDNN_ATTR_TENSOR_STRIDES, spec.strides);
  tensor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, spec.id);
  tensor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, spec.alignment);
  tensor.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &spec.is_virtual);
  tensor.finalize();
  return tensor;
}

}  // namespace opsched::cudnn
