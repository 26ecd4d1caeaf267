// The page by the eyes of a script engine: what is drawn, clicked, slid to; and that nothing of a
// hostile file or report becomes markup.
#include "topologies/engine/graph/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace heddle::graph {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kPageLab = R"(
name: look
hosts: {h1: {}, h2: {}}
topology:
  nodes: {n: {cmd: "sleep 9"}}
  links: [{endpoints: ["h1:eth1", "n:eth1"], ipv4: [192.168.7.1/24, 192.168.7.2/24]}]
)";

format::Lab lab_of(const std::string& text) {
  auto lab = format::parse_lab(text, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return *std::move(lab);
}

std::string page_of(const Graph& graph, const std::string& report = "") {
  std::vector<Event> events;
  if (!report.empty()) {
    auto read = read_report(report, graph);
    EXPECT_TRUE(read) << read.error().text();
    events = *std::move(read);
  }
  return format_html(graph, lay_out(graph), events);
}

// Runs page_check.js.
void check(const std::string& page, const std::string& what) {
  if (std::system("command -v node >/dev/null") != 0) GTEST_SKIP() << "nodejs is not installed";
  const std::string path =
      ::testing::TempDir() + "heddle-page-" + what + "-" + std::to_string(::getpid()) + ".html";
  std::ofstream(path) << page;
  const std::string command =  // tests run in the source tree
      "node tests/unit/topologies/engine/graph/page_check.js " + path + " " + what;
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  std::filesystem::remove(path);
}

TEST(Page, NodesAndLinksAreDrawnAndSayMoreWhenClicked) {
  format::Lab lab = lab_of(kPageLab);
  lab.links[0].impair.emplace();
  lab.links[0].impair->forward.delay = std::chrono::milliseconds(20);
  check(page_of(graph_of(lab)), "plain");
}

TEST(Page, ADeployedLabShowsWhatIsDown) {
  Graph graph = graph_of(lab_of(kPageLab));
  add_status(graph, {.name = "look",
                     .file = "",
                     .daemon_pid = 1,
                     .members = {{.name = "h1", .kind = "host", .state = "running"},
                                 {.name = "h2", .kind = "host", .state = "down"},
                                 {.name = "n", .kind = "linux", .state = "running"}},
                     .background = {}});
  check(page_of(graph), "state");
}

TEST(Page, TheSliderShowsHowThingsWereAtThatTime) {
  check(page_of(graph_of(lab_of(kPageLab)), R"({"lab": "look", "events": [
          {"at_ms": 1000, "kind": "kill", "subject": "h2", "text": "power cut", "ok": true},
          {"at_ms": 2000, "kind": "cut", "subject": "h1:eth1", "text": "carrier gone"},
          {"at_ms": 3000, "kind": "start", "subject": "h2", "text": "power back"},
          {"at_ms": 4000, "kind": "check", "subject": "h1", "text": "no answer", "ok": false},
          {"at_ms": 4500, "kind": "mend", "subject": "h1:eth1", "text": ""},
          {"at_ms": 5000, "kind": "check", "subject": "h1", "text": "answers", "ok": true}]})"),
        "timeline");
}

TEST(Page, HostileTextStaysText) {
  const std::string attack = "</script><img src=x onerror=alert(1)>";
  format::Lab lab = lab_of(kPageLab);
  lab.nodes[0].command = attack;
  lab.nodes[0].env["<!--<script>"] = "]]>\u2028";
  lab.links[0].a.interface = "\"><script>alert(3)</script>";
  const Graph graph = graph_of(lab);
  boost::json::object report{
      {"lab", "look"},
      {"events",
       {{{"at_ms", 1}, {"kind", "x y"}, {"subject", "n"}, {"text", "<svg onload=alert(2)>"}}}}};
  const std::string page = page_of(graph, boost::json::serialize(report));
  EXPECT_THAT(page, Not(HasSubstr("<img src=x")));
  EXPECT_THAT(page, Not(HasSubstr("<svg onload")));
  EXPECT_THAT(page, Not(HasSubstr("<!--<script>")));
  check(page, "hostile");
}

}  // namespace
}  // namespace heddle::graph
