// What is written down of what happens to a lab, and what is asked of it as a whole.
#include <string.h>

#include "topologies/engine/format/save.h"
#include "topologies/labd/service.h"

namespace heddle::labd {
namespace {

using control::Op;

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

// Of an impairment.
std::string text_of(const control::Request& request) {
  if (!request.forward && !request.backward) return "as the file says";
  std::string out;
  const auto say = [&](const char* way, const std::optional<format::Impairment>& impairment) {
    if (!impairment) return;
    const std::string what = format::describe(*impairment);
    out += (out.empty() ? "" : "; ") + std::string(way) + " " + (what.empty() ? "nothing" : what);
  };
  say("forward", request.forward);
  say("backward", request.backward);
  return out;
}

}  // namespace

// Reading changes nothing; the ends of processes have events of their own.
void Service::record(const control::Request& request, const control::Reply& reply) {
  switch (request.op) {
    case Op::inspect:
    case Op::peek:
    case Op::enter:
    case Op::events:
    case Op::save:
    case Op::note:
    case Op::stop:
    case Op::await:
      return;
    case Op::exec:
      // A look of a check is no event of the lab.
      if (!request.background.empty() && !request.background.starts_with("check."))
        events_.add("started", request.target, request.background + ": " + joined(request.command));
      return;
    case Op::update:
      for (const std::string& line : reply.did) {
        if (!request.dry_run) events_.add("change", lab_.name, line);
      }
      return;
    case Op::impair:
      events_.add("impair", request.target, text_of(request));
      return;
    case Op::partition:
      for (const control::Severed& pair : request.severed)
        events_.add("partition", pair.from, "nothing gets from " + pair.from + " to " + pair.to);
      if (request.severed.empty()) events_.add("heal", "", "no partition any more");
      return;
    default:
      events_.add(std::string(name_of(request.op)), request.target, "");
  }
}

process::Supervisor::OnEnded Service::record_end(std::string subject, std::string what) {
  return [this, subject = std::move(subject), what = std::move(what)](const process::Ending& end) {
    events_.add("ended", subject,
                what + (end.signal ? ", by signal " + std::to_string(end.signal) + " (" +
                                         ::strsignal(end.signal) + ")"
                                   : ", with status " + std::to_string(end.exit)));
  };
}

void Service::record_deployed() {
  events_.add("deployed", lab_.name,
              std::to_string(lab_.hosts.size()) + " hosts, " + std::to_string(lab_.nodes.size()) +
                  " nodes, " + std::to_string(plan_.veths.size()) + " links");
}

Result<> Service::note(const control::Request& request) {
  if (request.kind.empty()) return fail(Errc::invalid, "a note has a kind");
  events_.add(request.kind, request.target, request.text);
  return {};
}

// The file as deployed: it stands in the run directory.
Result<std::string> Service::save() {
  std::lock_guard change(change_mutex_);
  const std::string path = plan_.paths.lab_file();
  TRY(const std::string text, format::read_lab_file(path));
  std::vector<format::LiveLink> links;
  for (const control::LinkStatus& link : links_.status()) {
    if (link.wire)
      links.push_back({.a = link.a,
                       .b = link.b,
                       .impairment = {link.forward.impairment, link.backward.impairment}});
  }
  return format::save_lab(text, path, environment_, links);
}

}  // namespace heddle::labd
