#include "ctl/cmd/labs.h"

#include <unistd.h>

#include <memory>
#include <ostream>

#include "ctl/cmd/progress_bar.h"
#include "topologies/engine/control/channel.h"
#include "topologies/engine/steps/print.h"

namespace heddle::cmd {

int failed(Context& context, const Error& error) {
  context.err << "heddle: " << error.text() << "\n";
  return error.code() == Errc::unsupported ? kSkipped : kFailed;
}

void print_warnings(Context& context, const format::Lab& lab) {
  for (const std::string& warning : lab.warnings) context.err << "warning: " << warning << "\n";
}

lab::OnProgress progress_to(Context& context) {
  std::shared_ptr<ProgressBar> bar;
  if (context.format == Format::table && ::isatty(STDOUT_FILENO))
    bar = std::make_shared<ProgressBar>(context.out);
  return [&context, bar](const control::Progress& progress) {
    if (context.format == Format::json) return;
    if (progress.total > 0) {
      if (bar) bar->show({progress.done, progress.total, progress.did});
      return;
    }
    if (bar) bar->clear();
    context.out << "  " << progress.did << "  (" << steps::format_seconds(progress.time) << ")\n";
    context.out.flush();
  };
}

Result<plan::LabPaths> meant(const Arguments& arguments, const std::string& file) {
  const std::string& lab_dir = arguments.text("--lab-dir");
  if (arguments.has("--name")) return lab::locate(arguments.text("--name"), lab_dir);
  if (!file.empty()) {
    TRY(const format::Lab lab, format::load_lab(file));
    return lab::locate(lab.name, lab_dir);
  }
  TRY(const auto labs, lab::list(lab_dir));
  if (labs.size() == 1) return lab::locate(labs.front().name, lab_dir);
  if (labs.empty()) return fail(Errc::not_found, "no lab is deployed");
  std::string names;
  for (const auto& entry : labs) names += (names.empty() ? "" : ", ") + entry.name;
  return fail(Errc::conflict, "several labs are deployed (" + names + "); choose one with --name");
}

namespace {

Result<control::Reply> ask(const plan::LabPaths& paths, control::Op op) {
  TRY_DO(lab::need_deployed(paths));
  auto reply = control::Client(paths.socket()).ask({.op = op});
  if (!reply && reply.error().code() == Errc::unavailable)
    return fail(Errc::unavailable, "lab " + paths.lab() + " has lost its heddle-labd (" +
                                       reply.error().text() +
                                       "); take it down: heddle lab destroy "
                                       "--name " +
                                       paths.lab());
  return reply;
}

}  // namespace

Result<control::LabStatus> ask_status(const plan::LabPaths& paths) {
  TRY(control::Reply reply, ask(paths, control::Op::inspect));
  if (!reply.status) return fail(Errc::internal, "heddle-labd sent no status");
  return *std::move(reply.status);
}

Result<std::string> ask_saved(const plan::LabPaths& paths) {
  TRY(control::Reply reply, ask(paths, control::Op::save));
  if (!reply.text) return fail(Errc::internal, "heddle-labd sent no file");
  return *std::move(reply.text);
}

Result<format::Lab> load_deployed(const plan::LabPaths& paths) {
  TRY(const std::string text, ask_saved(paths));
  return format::parse_lab(text, paths.lab_file(), {});
}

}  // namespace heddle::cmd
