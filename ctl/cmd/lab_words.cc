#include "ctl/cmd/lab_words.h"

#include <chrono>

#include "topologies/engine/capture/tap.h"
#include "topologies/engine/control/channel.h"
#include "topologies/engine/lab/lab.h"

namespace heddle::cmd {
namespace {

using Words = std::vector<std::string>;

Words names_of_labs(const LabTyped& typed) {
  Words words;
  if (const auto labs = lab::list(typed.lab_dir)) {
    for (const lab::Entry& entry : *labs) words.push_back(entry.name);
  }
  return words;
}

}  // namespace

Words lab_words(const std::string& type, const LabTyped& typed) {
  const Words labs = names_of_labs(typed);
  if (type == "LAB") return labs;
  if (typed.name.empty() && labs.size() != 1) return {};
  const auto paths = lab::locate(typed.name.empty() ? labs.front() : typed.name, typed.lab_dir);
  if (!paths) return {};
  const auto reply = control::Client(paths->socket())
                         .ask({.op = control::Op::inspect, .timeout = std::chrono::seconds(1)});
  if (!reply || !reply->status) return {};
  Words words;
  for (const control::MemberStatus& member : reply->status->members) {
    if (type == "NODE" || !member.address.empty()) words.push_back(member.name);
    if (type != "LINK" || member.state == "down") continue;
    const auto interfaces = capture::interfaces_of(member.netns);
    if (!interfaces) continue;
    for (const std::string& interface : *interfaces) {
      if (interface != "lo") words.push_back(member.name + ":" + interface);
    }
  }
  return words;
}

}  // namespace heddle::cmd
