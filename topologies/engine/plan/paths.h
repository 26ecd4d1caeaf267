#pragma once
#include <string>
#include <string_view>

namespace heddle::plan {

// Under what labs live on this machine.
struct Roots {
  std::string run;     // /run/heddle/labs
  std::string state;   // /var/lib/heddle/labs
  std::string cgroup;  // where cgroup2 is mounted
  std::string tag;     // tells labs of another --lab-dir apart in names that the machine shares
};

// `lab_dir` empty: the machine's own directories; else DIR/run and DIR/state.
Roots roots_for(const std::string& lab_dir, const std::string& cgroup_mount);

// A name for where a length is bounded: itself when it fits, else its beginning and a hash.
std::string short_name(std::string_view name, std::size_t max_bytes);

// Where the parts of one lab are. Everything a lab leaves on a machine is below these three
// directories, in namespaces pinned under `netns_dir`, or in the cgroup.
class LabPaths final {
 public:
  LabPaths(Roots roots, std::string lab);

  const std::string& lab() const { return lab_; }
  const Roots& roots() const { return roots_; }
  std::string run_dir() const { return roots_.run + "/" + short_; }
  std::string state_dir() const { return roots_.state + "/" + short_; }
  std::string cgroup() const { return roots_.cgroup + "/heddle-lab-" + short_ + roots_.tag; }

  std::string name_file() const { return run_dir() + "/name"; }    // the lab's whole name
  std::string lab_file() const { return run_dir() + "/lab.yml"; }  // as deployed
  std::string socket() const { return run_dir() + "/labd.sock"; }
  std::string log_dir() const { return run_dir() + "/logs"; }
  std::string netns_dir() const { return run_dir() + "/netns"; }
  std::string switch_netns() const { return netns_dir() + "/.switch"; }
  std::string daemon_cgroup() const { return cgroup() + "/.labd"; }
  // Of labs with containers: the engine's socket, and a file for each container that it is asked to
  // make. Below the state directory, since containers, too, outlive a machine's restart.
  std::string engine_file() const { return state_dir() + "/.engine"; }
  std::string container_dir() const { return state_dir() + "/.containers"; }
  // The same container for the same node, and for no other of this machine.
  std::string container(std::string_view node) const;

  // Of one host or node.
  std::string netns(std::string_view name) const { return netns_dir() + "/" + std::string(name); }
  std::string log(std::string_view name) const {
    return log_dir() + "/" + std::string(name) + ".log";
  }
  // How far its clock is away from the machine's (HEDDLE_CLOCK_OFFSET_FILE); absent: not at all.
  std::string clock(std::string_view name) const {
    return run_dir() + "/clocks/" + std::string(name);
  }
  std::string member_cgroup(std::string_view name) const;
  std::string host_run(std::string_view name) const;
  std::string host_state(std::string_view name) const;
  std::string host_socket(std::string_view name) const { return host_run(name) + "/heddled.sock"; }
  std::string host_files(std::string_view name) const;
  // What `__clabDir__` stands for; `__clabNodeDir__` is the node's below it.
  std::string node_dir() const { return state_dir() + "/.nodes"; }

 private:
  Roots roots_;
  std::string lab_;
  std::string short_;
};

}  // namespace heddle::plan
