#include "core/graph/files/graph_io.hpp"

#include <filesystem>
#include <fstream>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/graph/files/graph_json.hpp"
#include "core/graph/onnx/onnx_import.hpp"
#include "core/utf8.hpp"

namespace opsched {
namespace {

constexpr std::int64_t max_json_bytes = std::int64_t{64} << 20;

/// An ONNX file begins with the tag of its first field; a text file never begins with that byte.
bool is_onnx(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return file.get() == 8;
}

/// Throws Error saying what the file is if it is named *.onnx but holds something else.
void check_named_onnx(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!path.ends_with(".onnx") || !file || std::filesystem::is_directory(path)) return;
  std::string line;
  std::getline(file, line);
  if (line.empty() && file.eof()) throw Error("graph '" + path + "': an empty file, not an ONNX model");
  if (line.starts_with("version https://git-lfs"))
    throw Error("graph '" + path + "': a pointer of Git LFS, not an ONNX model; 'git lfs pull' fetches the model");
  if (line.find('{') == std::string::npos)
    throw Error("graph '" + path + "': not an ONNX model; it begins with '" + valid_utf8(line.substr(0, 40)) + "'");
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

Graph load_graph(const std::string& path, const InputSize& size) {
  const bool onnx = is_onnx(path);
  if (!onnx) check_named_onnx(path);
  Graph graph = onnx ? Graph("") : parse_graph(read_file(path, max_json_bytes), path);
  try {
    if (onnx) {
      const MappedFile model(path);
      const std::filesystem::path file(path);
      graph = import_onnx(model.bytes(), file.stem().string(), file.parent_path().string(), size);
    } else if (size.image != 0) {
      graph = graph.with_image(size.image);
    }
    return size.batch == 0 || size.batch == graph.batch() ? graph : graph.with_batch(size.batch);
  } catch (const Error& e) {
    throw Error("graph '" + path + "': " + e.what());
  }
}

}  // namespace opsched
