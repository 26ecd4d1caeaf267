#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "topologies/engine/format/impair.h"

// What `heddle lab` and a lab's heddle-labd say to each other: one JSON object per request and per
// reply, each framed by its length (4 bytes, network order).
namespace heddle::control {

enum class Op {
  inspect,
  exec,
  stop,
  await,
  kill,
  start,
  kill_daemon,
  restart_daemon,
  enter,
  update,  // to what another lab file says
  // Of links.
  cut,        // no carrier at both ends, until ...
  mend,       // ... this
  impair,     // `forward` and `backward`; both absent: again what the file says
  partition,  // the underlay drops frames as `severed` says; empty: no more
  // Of processes, hosts and nodes.
  peek,       // what a background process has printed since `value` bytes, and whether it runs
  signal,     // to a background process: command is TERM, KILL, STOP or CONT
  respawn,    // a background process again, with its command; ended first if it runs
  freeze,     // all processes of a member stand still
  thaw,       // they go on
  clock,      // the programs that take a Clock see the time `value` ms away from the machine's
  fill_disk,  // the host's state and run directories take no byte more
  free_disk,  // they have their space again
  // Of the lab as a whole.
  events,  // those after `after`; waits for one, at most `timeout`
  note,    // adds an event: `kind`, `target` as its subject, `text`
  save,    // the lab file as it is now
};
std::string_view name_of(Op op);  // `kill-daemon`

// Frames from one host or node to another are dropped on the underlay.
struct Severed {
  std::string from;
  std::string to;
  friend bool operator==(const Severed&, const Severed&) = default;
};

struct Request {
  Op op = Op::inspect;
  std::string target{};  // host, node, link, or for stop and await a background process
  std::vector<std::string> command{};  // exec
  std::string background{};            // exec: name under which it goes on; empty: waited for
  bool network_only = false;           // exec: this machine's programs, in the node's network
  std::chrono::milliseconds timeout{30'000};
  std::optional<format::Impairment> forward{};  // impair: absent: that way stays as it is
  std::optional<format::Impairment> backward{};
  std::vector<Severed> severed{};  // partition: all that is
  std::string text{};              // note; update: the new lab file
  // update: `target` is the file's name for messages.
  std::string directory{};                   // where relative paths in it begin
  std::map<std::string, std::string> env{};  // what `${NAME}` in it stands for
  bool dry_run = false;                      // only say what would change
  std::uint64_t after = 0;                   // events: the number of the last one that is known
  std::string kind{};                        // note
  std::int64_t value = 0;                    // peek, clock
  friend bool operator==(const Request&, const Request&) = default;
};

// How a command ended and what it printed.
struct ExecResult {
  int exit = 0;  // 128 + signal when a signal ended it
  int signal = 0;
  bool timed_out = false;  // it was killed at its timeout
  std::chrono::milliseconds time{0};
  std::string out;
  std::string err;
  std::uint64_t dropped_bytes = 0;  // of both, from the beginning
  bool running = false;             // peek: it goes on
  std::uint64_t printed_bytes = 0;  // peek: of standard output, where the next one begins
  friend bool operator==(const ExecResult&, const ExecResult&) = default;
};

struct MemberStatus {
  std::string name;
  std::string kind;   // host, linux, machine
  std::string state;  // running, down, no daemon, daemon dead, ended (a container)
  std::string address;
  std::string socket;
  std::string netns;
  std::string cgroup;
  std::string log;
  int daemon_pid = 0;
  std::string container{};  // its name at the engine
  friend bool operator==(const MemberStatus&, const MemberStatus&) = default;
};
struct BackgroundStatus {
  std::string name;
  std::string on;
  int pid = 0;
  bool running = false;
  friend bool operator==(const BackgroundStatus&, const BackgroundStatus&) = default;
};
// One direction of a link, since the lab was built.
struct WayStatus {
  format::Impairment impairment;
  std::uint64_t packets = 0;  // that arrived mid-link; of the rest, what happened to them there
  std::uint64_t lost = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t overflowed = 0;  // dropped: more than `limit` waited
  friend bool operator==(const WayStatus&, const WayStatus&) = default;
};
struct LinkStatus {
  std::string a;  // NODE:INTERFACE; of the underlay's side `underlay:NODE`
  std::string b;
  std::string state;    // up, cut, down: a member at one of its ends is
  bool wire = false;    // it can be impaired
  std::string backend;  // `loss by bpf, rate by tbf, delay by relay`; empty: nothing to do
  WayStatus forward;
  WayStatus backward;
  friend bool operator==(const LinkStatus&, const LinkStatus&) = default;
};

// How far emulation fell behind what was asked for, since the lab was built.
struct Fidelity {
  bool relay = false;                     // packets are delayed in user space
  std::chrono::microseconds late_p50{0};  // behind the time at which they should have left
  std::chrono::microseconds late_p99{0};
  std::chrono::microseconds late_max{0};
  std::uint64_t relayed = 0;
  std::uint64_t overrun = 0;  // packets lost because the relay did not fetch them in time
  bool realtime = false;      // the relay has SCHED_FIFO
  // How late a thread that sleeps 20 ms at a time was awake again: this machine's own.
  std::chrono::microseconds starved_p99{0};
  std::chrono::microseconds starved_max{0};
  friend bool operator==(const Fidelity&, const Fidelity&) = default;
};

struct LabStatus {
  std::string name;
  std::string file;
  int daemon_pid = 0;
  std::vector<MemberStatus> members;
  std::vector<BackgroundStatus> background;
  std::vector<LinkStatus> links{};
  Fidelity fidelity{};
  friend bool operator==(const LabStatus&, const LabStatus&) = default;
};

// What an interactive `exec` needs to enter a member by itself. Paths are of this machine and hold
// as long as the lab runs; empty: stay.
struct Entry {
  std::string netns;
  std::string mounts;
  std::string uts;
  std::string hostname;
  std::string cgroup;
  std::string directory;
  std::string user{};
  std::map<std::string, std::string> env;
  int process = 0;  // of a container: its first process; the other namespaces are its
  std::optional<std::uint64_t> capabilities{};
  friend bool operator==(const Entry&, const Entry&) = default;
};

// Something that happened to a lab since its deploy.
struct Event {
  std::uint64_t number = 0;  // from 1; what is missing between two was forgotten for want of room
  std::int64_t unix_ms = 0;
  std::string kind;     // deployed, kill, start, ended, ...
  std::string subject;  // host, node, link or process
  std::string text;
  friend bool operator==(const Event&, const Event&) = default;
};

struct Reply {
  std::optional<Error> error;
  std::optional<ExecResult> result;  // exec, stop, await, peek
  std::optional<LabStatus> status;   // inspect
  std::optional<Entry> entry;        // enter
  std::vector<std::string> did{};    // update: a line for each change
  std::optional<std::vector<Event>> events{};
  std::optional<std::string> text{};  // save
};

// One line that a starting heddle-labd prints for each thing it did; the last has `ready` or
// `error`. With a `total` it only says how far it is: `done` of them, `did` the last one.
struct Progress {
  std::string did;
  std::chrono::milliseconds time{0};
  bool ready = false;
  std::optional<Error> error;
  std::size_t done = 0;
  std::size_t total = 0;
};

// Decoding errors: `invalid`, saying which member of the object is wrong. Unknown members are
// ignored; sizes, counts and nesting are bounded.
std::string encode(const Request& request);
Result<Request> decode_request(std::string_view text);
std::string encode(const Reply& reply);
Result<Reply> decode_reply(std::string_view text);
std::string encode(const Progress& progress);
Result<Progress> decode_progress(std::string_view text);

// An event as one line of JSON (`events --format json`).
std::string format_json(const Event& event);

// A status as JSON for people's programs (`inspect --format json`).
std::string format_json(const LabStatus& status);

inline constexpr std::size_t kMaxRequest = 8U << 20;  // a lab file and an environment
inline constexpr std::size_t kMaxReply = 16U << 20;

}  // namespace heddle::control
