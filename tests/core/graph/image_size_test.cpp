#include "core/graph/image_size.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/graph/files/graph_io.hpp"
#include "networks/network.hpp"

namespace opsched {
namespace {

TEST(ImageSize, IsReadAsItIsWritten) {
  for (const ImageSize& image : {ImageSize(), ImageSize(512), ImageSize(480, 640), ImageSize(1, 16384)})
    EXPECT_EQ(parse_image(to_string(image)), image);
  EXPECT_EQ(to_string(ImageSize(480, 640)), "480x640");
  EXPECT_EQ(parse_image("512x512"), ImageSize(512));
  for (const char* text : {"", "x", "512x", "x512", "-1", "0x5", "5x0", "05", "5x05", "5x5x5", "5 x 5", "99999999999"})
    EXPECT_THROW(parse_image(text), Error) << text;
}

TEST(GraphWithImage, IsTheNetworkAtThatSize) {
  for (const NetworkInfo& info : networks())
    for (const ImageSize& image : {ImageSize(288), ImageSize(353, 288)})
      EXPECT_EQ(graph_to_json(make_network(info.name).with_image(image)),
                graph_to_json(make_network(info.name, {.batch = 1, .image = image})))
          << info.name;
  EXPECT_THROW(make_network("squeezenet").with_image({99, 16}), Error);
}

TEST(GraphWithImage, KeepsTheFactorOfAResizing) {
  Graph graph("resized");
  const OpId in = graph.add_input("in", {3, 8, 8});
  graph.add("up", {graph.all(in)}, {Resize2d{.size = {16, 4}}, Resize2d{.size = {24, 9}, .scale = {1.5, 2.25}}});
  graph.end_block("all");
  EXPECT_EQ(graph.with_image({10, 12}).op(1).output, (Shape{3, 30, 13}));
  EXPECT_EQ(graph_to_json(graph.with_image({10, 12}).with_image(8)), graph_to_json(graph));
}

TEST(GraphWithImage, NeedsInputsOfOneSize) {
  Graph graph("two");
  graph.add_input("a", {3, 8, 8});
  graph.add_input("b", {3, 8, 9});
  EXPECT_THROW(graph.with_image(8), Error);
}

}  // namespace
}  // namespace opsched
