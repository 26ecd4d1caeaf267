// Which nodes are containers, and how their containers are made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "topologies/engine/format/lab.h"

namespace heddle::format {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

Lab parsed(const std::string& text) {
  auto lab = parse_lab(text, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return lab ? *std::move(lab) : Lab{};
}
std::string why_not(const std::string& text) {
  const auto lab = parse_lab(text, "f.yml", {});
  return lab ? "" : lab.error().text();
}
std::string warnings_of(const Lab& lab) {
  std::string out;
  for (const std::string& warning : lab.warnings) out += warning + "\n";
  return out;
}

TEST(ContainerNode, IsMadeAsItsFileSays) {
  const Lab lab = parsed(R"(
name: x
topology:
  nodes:
    n:
      runtime: docker
      image: frr:9
      image-pull-policy: Always
      entrypoint: /bin/sh -c
      cmd: 'exec "my server" __clabNodeName__'
      labels: {a: b}
      cap-add: [NET_ADMIN]
      devices: ["/dev/net/tun:/dev/net/tun:rw"]
      security-opts: ["seccomp=unconfined"]
      shm-size: 64MB
      privileged: false
)");
  ASSERT_TRUE(lab.nodes.at(0).container);
  const Container& container = *lab.nodes[0].container;
  EXPECT_EQ(container.image, "frr:9");
  EXPECT_EQ(container.pull, Container::Pull::always);
  EXPECT_THAT(container.entrypoint, ElementsAre("/bin/sh", "-c"));
  EXPECT_THAT(container.command, ElementsAre("exec", "my server", "n"));
  EXPECT_THAT(container.labels, ElementsAre(Pair("a", "b")));
  EXPECT_THAT(container.cap_add, ElementsAre("NET_ADMIN"));
  EXPECT_THAT(container.devices, ElementsAre("/dev/net/tun:/dev/net/tun:rw"));
  EXPECT_EQ(container.shm_size, 64U << 20);
  EXPECT_FALSE(container.privileged);
  EXPECT_EQ(lab.nodes[0].command, "") << "its command is no process of ours";
  EXPECT_THAT(lab.warnings, IsEmpty());
}

TEST(ContainerNode, TheNearestWordOnItsRuntimeCounts) {
  const Lab lab = parsed(R"(
name: x
runtime: docker
topology:
  defaults: {image: box}
  kinds: {bridge: {}}
  nodes: {a: , b: {runtime: netns}, c: {kind: bridge}}
)");
  EXPECT_TRUE(lab.nodes[0].container);
  EXPECT_TRUE(lab.nodes[0].container->privileged) << "as containerlab's are";
  EXPECT_FALSE(lab.nodes[1].container);
  EXPECT_FALSE(lab.nodes[2].container);
  EXPECT_THAT(lab.warnings, IsEmpty()) << "an image that some node uses";
}

TEST(ContainerNode, WhatItsRuntimeIgnoresIsSaid) {
  EXPECT_THAT(warnings_of(parsed("name: x\ntopology: {defaults: {image: a}, nodes: {n: }}\n")),
              HasSubstr("topology.defaults.image: ignored: nodes are network namespaces"));
  const std::string said = warnings_of(
      parsed("name: x\ntopology: {nodes: {n: {runtime: docker, image: a, ports: [\"80:80\"]}}}\n"));
  EXPECT_THAT(said, HasSubstr("topology.nodes.n.ports: ignored"));
  EXPECT_THAT(said, Not(HasSubstr("image: ignored")));
}

TEST(ContainerNode, WhatCannotBeIsRefused) {
  const auto node = [](const std::string& keys) {
    return "name: x\ntopology: {nodes: {n: {runtime: docker, " + keys + "}}}\n";
  };
  EXPECT_THAT(why_not(node("cmd: x")), HasSubstr("topology.nodes.n.image: missing"));
  EXPECT_THAT(why_not(node("image: \"a b\"")), HasSubstr("is no name of an image"));
  EXPECT_THAT(why_not(node("image: \"a?x=1\"")), HasSubstr("is no name of an image"));
  EXPECT_THAT(why_not(node("image: a, image-pull-policy: Often")), HasSubstr("IfNotPresent"));
  EXPECT_THAT(why_not(node("image: a, cmd: \"say 'hi\"")), HasSubstr("is not closed"));
  EXPECT_THAT(why_not(node("image: a, shm-size: big")), HasSubstr("must be a size"));
  EXPECT_THAT(why_not(node("image: a, devices: [tun]")), HasSubstr("/dev/NAME"));
  EXPECT_THAT(why_not(node("image: a, network-mode: host")), HasSubstr("network of its own"));
  EXPECT_THAT(why_not("name: x\nruntime: lxc\n"), HasSubstr("runtime: must be netns or docker"));
  EXPECT_THAT(why_not("name: x\ntopology: {nodes: {a: , n: {runtime: docker, image: a, "
                      "network-mode: \"container:a\"}}}\n"),
              HasSubstr("a container's network only"));
}

TEST(WithRuntime, SaysItInTheFile) {
  const auto changed = [](const std::string& text) {
    return with_runtime(text, "f.yml", Runtime::docker).value_or("refused");
  };
  EXPECT_EQ(changed("name: x\nnodes:\n  a: 1"), "name: x\nnodes:\n  a: 1\nruntime: docker\n");
  EXPECT_EQ(changed("name: x\nruntime: netns # why\nseed: 1\n"),
            "name: x\nruntime: docker\nseed: 1\n");
  EXPECT_EQ(changed("{name: x}\n"), "refused");
  EXPECT_EQ(changed("{name: x, runtime: netns, seed: 1}\n"), "refused");
}

}  // namespace
}  // namespace heddle::format
