#include "core/graph/files/graph_io.hpp"

#include <filesystem>
#include <fstream>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/files/graph_json.hpp"
#include "core/graph/onnx/onnx_import.hpp"

namespace opsched {
namespace {

constexpr std::int64_t max_json_bytes = std::int64_t{64} << 20, max_onnx_bytes = std::int64_t{2} << 30;

/// ONNX begins with the number of its first field, which no text does.
bool is_onnx(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return file.get() == 8;
}

GraphSpec read_spec(const std::string& text) {
  const nlohmann::json json = parse_json(text);
  const JsonReader file(json, "the file");
  if (file.has("format")) {
    if (const std::string format = file.at("format").string(); format != "opsched-graph")
      file.fail("its format is '" + format + "', not 'opsched-graph'");
    return spec_from_json(file);
  }
  if (file.has("input") && file.has("blocks")) return spec_from_ios_json(file);
  file.fail("neither an opsched graph (\"format\": \"opsched-graph\") nor an IOS graph (\"input\" and \"blocks\")");
}

}  // namespace

Graph parse_graph(const std::string& text, const std::string& source) {
  try {
    return assemble(read_spec(text));
  } catch (const Error& e) {
    throw Error("graph '" + source + "': " + e.what());
  }
}

Graph load_graph(const std::string& path) {
  if (!is_onnx(path)) return parse_graph(read_file(path, max_json_bytes), path);
  const std::string bytes = read_file(path, max_onnx_bytes);
  try {
    const std::filesystem::path file(path);
    return import_onnx(bytes, file.stem().string(), file.parent_path().string());
  } catch (const Error& e) {
    throw Error("graph '" + path + "': " + e.what());
  }
}

}  // namespace opsched
