#include <ostream>
#include <sstream>

#include "ctl/cmd/command.h"
#include "ctl/cmd/commands.h"
#include "ctl/cmd/files.h"
#include "ctl/cmd/labs.h"
#include "ctl/cmd/node_filter.h"
#include "topologies/engine/graph/page.h"
#include "topologies/engine/graph/text.h"

namespace heddle::cmd {
namespace lab_graph {
namespace {

constexpr Flag kFlags[] = {
    {"--mermaid", "", "as Mermaid, which GitHub and others show (default)"},
    {"--dot", "", "for Graphviz"},
    {"--html", "", "as one page to look at and to click through"},
    {"--output,-o", "FILE", "write it here, not to standard output"},
    {"--report", "RUN.json",
     "with --html: the timeline of a run, from `heddle lab run --format json`"},
    kNodeFilter,
    kLabName,
    kLabDir};

struct Source {
  format::Lab lab;
  std::optional<control::LabStatus> status;  // when it is deployed
};

// A file, offline; else a deployed lab with its state.
Result<Source> source_of(const Arguments& arguments) {
  const std::string& file = arguments.text("FILE");
  if (!file.empty() && !arguments.has("--name")) {
    TRY(format::Lab lab, format::load_lab(file));
    return Source{std::move(lab), std::nullopt};
  }
  TRY(const plan::LabPaths paths, meant(arguments, ""));
  TRY(control::LabStatus status, ask_status(paths));
  TRY(format::Lab lab, load_deployed(paths));
  return Source{std::move(lab), std::move(status)};
}

Result<std::string> page(const Arguments& arguments, const graph::Graph& graph) {
  std::vector<graph::Event> events;
  if (arguments.has("--report")) {
    const std::string& path = arguments.text("--report");
    TRY(const std::string text, read_whole(path, graph::kMaxReport));
    TRY(events, graph::read_report(text, graph).during(path));
  }
  return graph::format_html(graph, graph::lay_out(graph), events);
}

Result<int> run(const Arguments& arguments, Context& context) {
  const int kinds = arguments.has("--mermaid") + arguments.has("--dot") + arguments.has("--html");
  if (kinds > 1) return fail(Errc::invalid, "choose one of --mermaid, --dot and --html");
  if (arguments.has("--report") && !arguments.has("--html"))
    return fail(Errc::invalid, "--report is for --html: the others have no timeline");
  auto source = source_of(arguments);
  if (!source) return failed(context, source.error());
  auto lab = filtered(arguments, std::move(source->lab));
  if (!lab) return failed(context, lab.error());
  graph::Graph graph = graph::graph_of(*lab);
  if (source->status) graph::add_status(graph, *source->status);
  const auto text = arguments.has("--html")  ? page(arguments, graph)
                    : arguments.has("--dot") ? Result<std::string>(graph::format_dot(graph))
                                             : Result<std::string>(graph::format_mermaid(graph));
  if (!text) return failed(context, text.error());
  const auto written = write_result(context, arguments.text("--output"), *text);
  return written ? kDone : failed(context, written.error());
}

constexpr Command kCommand{
    .path = "lab graph [FILE]",
    .summary = "A lab to look at: of a file, or of a deployed lab with its state",
    .example =
        "  heddle lab graph clos.lab.yml\n"
        "  heddle lab graph clos.lab.yml --dot | dot -Tsvg -o clos.svg\n"
        "  heddle lab graph --name demo --html -o demo.html\n"
        "  heddle lab run demo.lab.yml --format json > run.json\n"
        "  heddle lab graph demo.lab.yml --html --report run.json -o demo.html",
    .flags = kFlags,
    .run = run};

}  // namespace
}  // namespace lab_graph

void register_lab_graph(CLI::App& app, Context& context) {
  add_command(app, context, lab_graph::kCommand);
}

}  // namespace heddle::cmd
