// The part of cuDNN's graph API (version 9, C back end) needed for convolutions, with owners.
#pragma once

#include <cudnn.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace opsched::cudnn {

/// Throws Error, or DeviceLost (cuda_check.hpp), with the call and cuDNN's message unless `status` is success.
void check(cudnnStatus_t status, const char* call);

/// A cuDNN context on the device that is current when it is made. Not for several threads at once.
class Handle {
 public:
  Handle();
  ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  cudnnHandle_t get() const { return handle_; }

 private:
  cudnnHandle_t handle_ = nullptr;
};

/// A descriptor of the back end; copies share it.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(cudnnBackendDescriptorType_t type);
  cudnnBackendDescriptor_t get() const { return handle_.get(); }

  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count, const void* values);
  void set(cudnnBackendAttributeName_t name, std::int64_t value) { set(name, CUDNN_TYPE_INT64, 1, &value); }
  void set(cudnnBackendAttributeName_t name, std::span<const std::int64_t> values);
  void set(cudnnBackendAttributeName_t name, const Descriptor& value);
  void set(cudnnBackendAttributeName_t name, std::span<const Descriptor> values);
  void finalize();

  std::int64_t get_int64(cudnnBackendAttributeName_t name) const;
  /// Values of an attribute; `capacity` at most.
  template <class T>
  std::vector<T> get_list(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int capacity) const {
    std::vector<T> values(capacity);
    std::int64_t count = 0;
    check(cudnnBackendGetAttribute(get(), name, type, capacity, &count, values.data()), "cudnnBackendGetAttribute");
    values.resize(count < capacity ? count : capacity);
    return values;
  }
  /// Descriptors of an attribute, `capacity` at most, each of `type`.
  std::vector<Descriptor> get_descriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                          int capacity) const;

 private:
  std::shared_ptr<void> handle_;
};

/// Configuration of an engine: its number, its knobs, and the number of multiprocessors it targets (0: all). As text
/// "38:2=1,5=0", "38:2=1,5=0@66".
struct EngineChoice {
  std::int64_t engine = 0;
  std::vector<std::pair<int, std::int64_t>> knobs;
  std::int32_t multiprocessors = 0;
  bool operator==(const EngineChoice&) const = default;
};
std::string to_string(const EngineChoice& choice);
/// Throws Error if the text is not what to_string gives.
EngineChoice parse_engine_choice(const std::string& text);

/// Requested number of engines: in total, and of those compiled when a plan is built.
struct Most {
  int all = 0, compiled = 0;
};

/// Engines that the heuristics of `mode` propose for a finalized operation graph, best first, without those that have
/// a numerical note in `unwanted`. Empty if the mode has none for this number of `multiprocessors` (0: all).
std::vector<EngineChoice> propose(const Descriptor& graph, cudnnBackendHeurMode_t mode, Most most,
                                  std::span<const cudnnBackendNumericalNote_t> unwanted,
                                  std::int32_t multiprocessors = 0);

/// A compiled plan: may take seconds for engines compiled at run time. Throws Error if the engine
/// cannot run the graph.
Descriptor build_plan(const Handle& handle, const Descriptor& graph, const EngineChoice& choice);

/// Where a tensor of an operation graph lies.
struct TensorSpec {
  std::int64_t id = 0;
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::array<std::int64_t, 4> dims{}, strides{};
  std::int64_t alignment = 16;
  bool is_virtual = false;
};
Descriptor make_tensor(const TensorSpec& spec);

}  // namespace opsched::cudnn
