#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "topologies/engine/control/message.h"
#include "topologies/engine/faults/timeline.h"

namespace heddle::faults {

// Who made a fault: an occurrence of the timeline, or a step.
using Holder = std::uint64_t;

// What is broken in a lab right now, by whom, and thus what a further fault, or the end of one,
// asks of it. Faults of one target add up where they can: a link is whole again when nobody holds
// it cut, impairments lie on each other, partitions are united. Where they cannot (power, heddled),
// the first has it, and what the second wanted is passed over. Pure: told of strikes and ends in
// the order in which they happen. Threads: one at a time.
class Ledger final {
 public:
  explicit Ledger(const format::Lab& lab) : lab_(lab) {}  // borrowed

  struct Decision {
    std::vector<control::Request> requests;  // in order
    std::vector<std::string> passed_over;    // why something is left as it is, each a sentence
  };
  Decision strike(Holder holder, const Occurrence& occurrence);
  // Ends what this holder began, and nothing that others hold.
  Decision undo(Holder holder, const Occurrence& occurrence);

  // Of steps: whoever holds it.
  Decision start(const std::vector<std::string>& names);
  Decision mend(const format::MendAction& mend);

 private:
  struct Member {
    std::optional<Holder> down;
    std::optional<Holder> without_daemon;
    std::set<Holder> frozen;
  };
  struct Process {
    std::optional<Holder> ended;
    std::set<Holder> frozen;
  };
  struct Link {
    std::set<Holder> cut;
    std::vector<std::pair<Holder, format::LinkImpairment>> impairments;  // the last is in force
  };

  void strike_one(Holder holder, const Occurrence& occurrence, const std::string& name,
                  Decision& out);
  void undo_one(Holder holder, const Occurrence& occurrence, const std::string& name,
                Decision& out);
  void kill(Holder holder, const std::string& name, Decision& out);
  void restart(const std::string& name, Decision& out);
  void end_process(Holder holder, const std::string& name, const char* signal, Decision& out);
  void freeze(Holder holder, const std::string& name, Decision& out);
  void thaw(std::set<Holder>& holders, const std::string& name, Decision& out);
  void kill_daemon(Holder holder, const std::string& name, Decision& out);
  void restart_daemon(const std::string& name, Decision& out);
  void power_up(const std::string& name, Decision& out);
  void step_clock(const std::string& name, Milliseconds by, Decision& out);
  void set_impairment(const std::string& link, Decision& out) const;
  void set_partition(Decision& out) const;
  bool is_process(const std::string& name) const;

  const format::Lab& lab_;
  std::map<std::string, Member> members_;
  std::map<std::string, Process> processes_;
  std::map<std::string, Link> links_;
  std::map<std::string, std::set<Holder>> full_disks_;
  std::map<std::string, Milliseconds> clocks_;
  std::vector<std::pair<Holder, std::vector<control::Severed>>> partitions_;
};

}  // namespace heddle::faults
